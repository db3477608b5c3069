/**
 * Returns `node:sqlite`. Node 22 prints an ExperimentalWarning when it is loaded, and a library must not write to stderr, so
 * this one warning is dropped: the module loads synchronously, so no other warning can be.
 *
 * @example
 * ```ts
 * import { loadSqlite } from "@agent-auth/agent-identity/sqlite/load";
 *
 * const { DatabaseSync } = loadSqlite();
 * new DatabaseSync(":memory:").close();
 * ```
 */
export const loadSqlite = () => {
  const emitWarning = Object.getOwnPropertyDescriptor(process, "emitWarning");
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule("node:sqlite");
  } finally {
    if (emitWarning !== undefined) Object.defineProperty(process, "emitWarning", emitWarning);
  }
};

/**
 * Returns SQLite's result code in an error of `node:sqlite`, such as 5 for a database that another connection has locked.
 * Deno's errors have no code, so that this one is recognised by SQLite's message.
 *
 * @example
 * ```ts
 * import { loadSqlite, sqliteResultCode } from "@agent-auth/agent-identity/sqlite/load";
 *
 * const { DatabaseSync } = loadSqlite();
 * try {
 *   new DatabaseSync("/nowhere/file.db");
 * } catch (error) {
 *   sqliteResultCode(error); // 14, SQLITE_CANTOPEN
 * }
 * ```
 */
export const sqliteResultCode = (error: unknown): number | undefined => {
  const { errcode, message }: { errcode?: unknown; message?: unknown } = Object(error);
  if (typeof errcode === "number") return errcode;
  return message === "database is locked" ? SQLITE_BUSY : undefined;
};

/** The result code for a database that another connection has locked. */
export const SQLITE_BUSY = 5;
