import { unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "./replace.ts";
import { assertReplaceable, resolveTarget } from "./target.ts";
import { sweepTemporaries } from "./temporary.ts";

/**
 * Removes the file that a path leads to, and then the link, where the path is one: the other way round, a failure in
 * between would leave a secret that nothing points to. False where there is no file; a link to nothing stays.
 */
export const removeAuthFile = async (path: string): Promise<boolean> => {
  const target = await resolveTarget(path, "remove");
  await sweepTemporaries(target.path);
  if (target.stats === undefined) return false;
  await assertReplaceable(target, "remove");
  await unlink(target.path);
  await syncFolder(dirname(target.path));
  if (target.isLinked) {
    await unlink(path);
    await syncFolder(dirname(path));
  }
  return true;
};
