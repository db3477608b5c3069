import { randomBytes } from "node:crypto";
import { closeSync, openSync, rmSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { loadSqlite, SQLITE_BUSY, sqliteResultCode } from "@agent-auth/agent-identity/sqlite/load";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { type HomeLockBusy, HomeLockFailed } from "../../errors/store.ts";
import { giveToFolderOwner } from "../privilege.ts";
import { systemCodeOf } from "../fs/system-error.ts";
import { lockFailed, lockFileProblem } from "./lock-file.ts";
import { waitUntil } from "./wait.ts";

// The lock that needs no native package: an exclusive transaction on an empty SQLite database, which node:sqlite holds
// by the operating system's record locks. They end with the process, however it ends, so there is nothing to time out.
// The other way without native code, a folder or file created as a marker, would outlive a killed holder. SQLite keeps
// connections of one process apart as well, so two layers of a process exclude each other.

/** After this wait it is checked whether the file system has locks at all: SQLite reports both as busy. */
const CHECK_SUPPORT_AFTER_MS = 250;

/**
 * Takes the lock until the scope closes. The file is created 0600 if it is missing. Not for root in a folder to which
 * others can write: SQLite follows a link in the file's place, and rolls back a journal that another user put next to
 * it.
 */
export const acquireSqliteLock = Effect.fnUntraced(function* (
  path: string,
  { lockableFiles, maxWaitMs }: { readonly maxWaitMs: number; readonly lockableFiles: Set<string> },
): Effect.fn.Return<void, HomeLockBusy | HomeLockFailed, Scope.Scope> {
  const failed = lockFailed(path);
  const { DatabaseSync } = loadSqlite();
  const open = () => {
    createLockFile(path);
    const problem = lockFileProblem(path, { mustBeEmpty: true });
    if (problem !== undefined) throw problem;
    return new DatabaseSync(path, { timeout: 0 });
  };
  // Registered before the lock is taken, so that an interruption in between cannot leave it taken.
  const database = yield* Effect.acquireRelease(
    Effect.try({ try: open, catch: failed }),
    (database) => Effect.sync(() => database.close()),
  );
  const attempt = Effect.try({ try: () => beginExclusive(database), catch: failed });
  const wait = (maxWaitMs: number) => waitUntil(attempt, { path, maxWaitMs, maxPauseMs: 25 });
  const firstMs = Math.min(CHECK_SUPPORT_AFTER_MS, maxWaitMs);
  if (lockableFiles.has(path)) return yield* wait(maxWaitMs);
  yield* Effect.catchTag(wait(firstMs), "HomeLockBusy", (busy) =>
    Effect.try({
      try: () => {
        assertLocksSupported(DatabaseSync, path);
        lockableFiles.add(path);
      },
      catch: failed,
    }).pipe(Effect.andThen(maxWaitMs > firstMs ? wait(maxWaitMs - firstMs) : Effect.fail(busy))),
  );
});

// Only ever with O_EXCL: opening and closing the file of a lock that this process holds would end that lock (POSIX).
const createLockFile = (path: string): void => {
  try {
    const fd = openSync(path, "wx", 0o600);
    giveToFolderOwner(fd, path);
    closeSync(fd);
  } catch (error) {
    if (systemCodeOf(error) !== "EEXIST") throw error;
  }
};

const beginExclusive = (database: DatabaseSync): boolean => {
  try {
    // No journal file: nothing is ever written, and a killed holder must leave nothing behind.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (sqliteResultCode(error) === SQLITE_BUSY) return false;
    throw error;
  }
};

/** Throws if not even a new private file can be locked. */
const assertLocksSupported = (Database: typeof DatabaseSync, path: string): void => {
  const probe = `${path}-${process.pid}-${randomBytes(8).toString("hex")}.tmp`;
  closeSync(openSync(probe, "wx", 0o600));
  const database = new Database(probe, { timeout: 0 });
  try {
    if (beginExclusive(database)) return;
  } finally {
    database.close();
    rmSync(probe, { force: true });
  }
  const reason = "the file system does not support file locks";
  throw new HomeLockFailed({ path, reason, systemCode: "ENOLCK" });
};
