import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { StoreUnwritable } from "../../errors/store.ts";
import { compact } from "../../internal/compact.ts";
import { isRoot } from "./owner.ts";
import { lstatIfPresent, statIfPresent } from "./stats.ts";
import type { AuthFileTarget, StoreOperation } from "./target.ts";

// What root does in another user's folder. That user may make links to root's files, and may put another folder in the
// place of one while root is at work.

/**
 * Throws `StoreUnwritable` where root would follow somebody else's link to what is not theirs: the idea of Linux's
 * `protected_symlinks`. What is not there yet belongs to whoever its folder belongs to.
 */
export const assertLinksTrusted = async (
  target: AuthFileTarget,
  operation: StoreOperation,
): Promise<void> => {
  if (!isRoot() || target.linkOwners.every((uid) => uid === 0)) return;
  const found = target.stats ?? (await statIfPresent(dirname(target.path)));
  if (found === undefined) return;
  if (target.linkOwners.every((uid) => uid === 0 || uid === found.uid)) return;
  throw new StoreUnwritable({
    where: target.path,
    operation,
    reason: "this process is root, and another user's link leads to what is not that user's",
  });
};

/**
 * Runs `use` with a path that stays in the folder that was checked, whatever becomes of the folder's name meanwhile.
 * Only root needs that, and only Linux offers it (`/proc/self/fd`); elsewhere the path is the target's own.
 */
export const inPinnedFolder = async <A>(
  target: AuthFileTarget,
  operation: StoreOperation,
  use: (pinned: AuthFileTarget) => Promise<A>,
): Promise<A> => {
  if (!isRoot() || process.platform !== "linux") return use(target);
  const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
  const folder = await open(dirname(target.path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    const pinned = await pin(target, folder);
    if (pinned === undefined) return await use(target);
    await assertLinksTrusted(pinned, operation);
    return await use(pinned);
  } catch (error) {
    if (!(error instanceof StoreUnwritable)) throw error;
    const { reason, systemCode } = error;
    const where = target.path;
    throw new StoreUnwritable(compact({ where, operation, reason, systemCode }));
  } finally {
    await folder.close();
  }
};

/** `undefined` where `/proc` is not there. */
const pin = async (
  { isLinked, linkOwners, path }: AuthFileTarget,
  folder: FileHandle,
): Promise<AuthFileTarget | undefined> => {
  const name = `/proc/self/fd/${folder.fd}`;
  const [held, named] = [await folder.stat(), await statIfPresent(name)];
  if (named?.ino !== held.ino || named.dev !== held.dev) return undefined;
  const pinned = { path: `${name}/${basename(path)}`, isLinked, linkOwners };
  const stats = await lstatIfPresent(pinned.path);
  return stats === undefined ? pinned : { ...pinned, stats };
};
