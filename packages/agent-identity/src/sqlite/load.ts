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
