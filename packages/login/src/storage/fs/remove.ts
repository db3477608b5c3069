import { existsSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "./replace.ts";
import { assertReplaceable, type AuthFileTarget, resolveTarget } from "./target.ts";
import { sweepTemporaries } from "./temporary.ts";
import { inPinnedFolder } from "./trust.ts";

export interface RemoveOptions {
  /** Whether the file to which a link leads is an auth.json; what is none is somebody's own and stays. */
  readonly isAuthJson: (path: string) => boolean;
}

/**
 * Removes the file that a path leads to, and then the link, where the path is one: the other way round, a failure in
 * between would leave a secret that nothing points to. Where a link leads to something else than an auth.json, only
 * the link is removed. False where there is no file; a link to nothing stays.
 */
export const removeAuthFile = async (path: string, options: RemoveOptions): Promise<boolean> => {
  const target = await resolveTarget(path, "remove");
  if (!existsSync(dirname(target.path))) return false;
  const isRemoved = await inPinnedFolder(target, "remove", (pinned) =>
    removeTarget(pinned, options),
  );
  if (isRemoved && target.isLinked) await removeName(path);
  return isRemoved;
};

const removeTarget = async (target: AuthFileTarget, options: RemoveOptions): Promise<boolean> => {
  if (target.stats === undefined) {
    await sweepTemporaries(target.path);
    return false;
  }
  await assertReplaceable(target, "remove");
  if (target.isLinked && !options.isAuthJson(target.path)) return true;
  await sweepTemporaries(target.path);
  await removeName(target.path);
  return true;
};

const removeName = async (path: string): Promise<void> => {
  await unlink(path);
  await syncFolder(dirname(path));
};
