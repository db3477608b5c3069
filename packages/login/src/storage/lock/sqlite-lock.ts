import { closeSync, lstatSync, openSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { giveToFolderOwner } from "../fs/owner.ts";
import { systemCodeOf } from "../fs/system-error.ts";
import { HomeLockFailed } from "../../errors/store.ts";

// The lock that needs no native package: an exclusive transaction on an empty SQLite database, which node:sqlite
// holds by the operating system's own record locks. They end with the process, however it ends, so there is nothing
// to time out and nothing to sweep. A folder or file made as a mark (the other way without native code) outlives a
// killed holder and has to be guessed stale by its age.

const SQLITE_BUSY = 5;

export interface SqliteLock {
  /** Takes the lock, or answers false at once where somebody else has it. */
  readonly tryLock: () => boolean;
  /** Ends the lock, taken or not. */
  readonly close: () => void;
}

/**
 * Opens the lock file, made 0600 where it is missing; what is not an empty file is none of ours. Throws what the system
 * or SQLite throws. Not for root in a folder where others may write: SQLite follows a link in the file's place, and
 * rolls back a journal that somebody put beside it.
 */
export const openSqliteLock = async (path: string): Promise<SqliteLock> => {
  const { DatabaseSync } = await import("node:sqlite");
  create(path);
  assertEmptyFile(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  return {
    tryLock: () => begin(database),
    close: () => database.close(),
  };
};

// Only ever with O_EXCL: opening and closing the file of a lock that this process holds would end that lock (POSIX).
const create = (path: string): void => {
  try {
    const fd = openSync(path, "wx", 0o600);
    giveToFolderOwner(fd, path);
    closeSync(fd);
  } catch (error) {
    if (systemCodeOf(error) !== "EEXIST") throw error;
  }
};

// Looked at from outside, for the same reason.
const assertEmptyFile = (path: string): void => {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) throw new HomeLockFailed({ path, reason: "it is a symbolic link" });
  if (!stats.isFile() || stats.size > 0)
    throw new HomeLockFailed({ path, reason: "it is not the empty file that it was made as" });
};

const begin = (database: DatabaseSync): boolean => {
  try {
    // No journal file: nothing is ever written, and a killed holder must leave nothing behind.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (isBusy(error)) return false;
    throw error;
  }
};

const isBusy = (error: unknown): boolean =>
  error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
