import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { lstat, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { controlOf, rootAccessProblem } from "../privilege.ts";
import { onceNotInUse } from "./in-use.ts";
import { replaceFile, sweepTemporaries } from "./replace.ts";
import { systemCodeOf } from "./system-error.ts";

/** Folder below CODEX_HOME for files that only agent-auth knows. Deleting it loses no sign-in. */
const FOLDER = "agent-auth";

/** Returns the path of a state file. */
export const stateFilePath = (folder: string, name: string): string => join(folder, FOLDER, name);

/**
 * Reads a state file. `undefined` if there is none, if it is larger than `maxBytes`, or if another user owns it or can
 * write to it, since its content is trusted.
 */
export const readStateFile = (path: string, maxBytes: number): string | undefined => {
  let fd: number;
  try {
    fd = openSync(
      path,
      constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0),
    );
  } catch {
    return undefined;
  }
  try {
    const stats = fstatSync(fd);
    return isTrusted(stats) && stats.size <= maxBytes ? readFileSync(fd, "utf8") : undefined;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
};

/** On Windows, Node has neither owners nor modes. There, the access list of the profile folder protects the file. */
const isOwn = (stats: Stats): boolean =>
  process.getuid === undefined || stats.uid === process.getuid();

const isTrusted = (stats: Stats): boolean =>
  stats.isFile() && isOwn(stats) && (process.getuid === undefined || (stats.mode & 0o022) === 0);

/**
 * Replaces a state file. The file has mode 0600 and its folder mode 0700. Returns whether it was written: a full disk,
 * a read-only home or a home of another user (who could redirect root's writes) is not an error.
 */
export const writeStateFile = async (
  folder: string,
  name: string,
  content: string,
): Promise<boolean> => {
  const path = stateFilePath(folder, name);
  try {
    if (!(await isOwnFolder(folder))) return false;
    const parent = join(folder, FOLDER);
    await mkdir(parent, { mode: 0o700 }).catch(ignoreExisting);
    if (!(await isOwnState(parent))) return false;
    await sweepTemporaries(path);
    await replaceFile({ path }, content);
    return true;
  } catch {
    return false;
  }
};

const isOwnFolder = async (folder: string): Promise<boolean> => {
  const found = await stat(folder);
  return isOwn(found) && rootAccessProblem(controlOf(folder), found, "write") === undefined;
};

const isOwnState = async (parent: string): Promise<boolean> => {
  const stats = await lstat(parent);
  return stats.isDirectory() && isOwn(stats);
};

/** Removes state files by name that were written at least `olderThanMs` ago. What cannot be removed stays. */
export const removeStateFiles = async (
  folder: string,
  name: RegExp,
  olderThanMs: number,
): Promise<void> => {
  try {
    const parent = join(folder, FOLDER);
    if (!(await isOwnFolder(folder)) || !(await isOwnState(parent))) return;
    for (const file of (await readdir(parent)).filter((one) => name.test(one))) {
      const path = join(parent, file);
      const { mtimeMs } = await lstat(path);
      if (olderThanMs <= 0 || Date.now() - mtimeMs >= olderThanMs)
        await onceNotInUse(() => rm(path));
    }
  } catch {
    return; // such as a read-only home
  }
};

const ignoreExisting = (error: unknown): void => {
  if (systemCodeOf(error) !== "EEXIST") throw error;
};
