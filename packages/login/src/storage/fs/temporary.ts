import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCodeOf } from "./system-error.ts";

// Temporary files stand beside their target, since a rename is atomic within one file system only. Their names tell
// which process writes them.

const suffix = /^-(\d{1,10})-[0-9a-f]{16}\.tmp$/;

const prefixOf = (target: string): string => `.${basename(target)}`;

/** A new name beside the target; nothing is made. */
export const temporaryPath = (target: string): string => {
  const unique = randomBytes(8).toString("hex");
  return join(dirname(target), `${prefixOf(target)}-${process.pid}-${unique}.tmp`);
};

// Never through a link that somebody put there, and never readable to others, not even for a moment.
const flags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

export const createTemporary = (path: string): Promise<FileHandle> => open(path, flags, 0o600);

/** A pid may be in use again; a write never takes this long. */
const ABANDONED_AFTER_MS = 10 * 60 * 1000;

/** Removes what dead writers left beside the target; they hold secrets. Failures are left for the next time. */
export const sweepTemporaries = async (target: string): Promise<void> => {
  const folder = dirname(target);
  const names = await readdir(folder).catch((): Array<string> => []);
  for (const name of names) {
    if (!name.startsWith(prefixOf(target))) continue;
    const match = suffix.exec(name.slice(prefixOf(target).length));
    if (match === null) continue;
    const path = join(folder, name);
    if (isAlive(Number(match[1])) && !(await isAbandoned(path))) continue;
    await rm(path, { force: true }).catch(() => undefined);
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) !== "ESRCH";
  }
};

const isAbandoned = async (path: string): Promise<boolean> => {
  try {
    return Date.now() - (await stat(path)).mtimeMs > ABANDONED_AFTER_MS;
  } catch {
    return false;
  }
};
