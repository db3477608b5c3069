import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import * as Effect from "effect/Effect";
import * as Reactivity from "effect/reactivity/Reactivity";
import * as Schedule from "effect/Schedule";
import type * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import * as SqlClient from "effect/sql/SqlClient";
import type { Connection } from "effect/sql/SqlConnection";
import { classifySqliteError, SqlError } from "effect/sql/SqlError";
import * as Statement from "effect/sql/Statement";
import * as Stream from "effect/Stream";
import { loadSqlite, sqliteResultCode } from "./load.ts";

// Effect's driver for node:sqlite exists for its version 3 and as a beta for 4 only (docs/decisions/0091).

/** How many prepared statements are kept. */
const maxPrepared = 100;

/** The database of a client. */
export interface SqliteClientOptions {
  /**
   * Opens the database, at the first statement. The database must not wait for locks itself, because that blocks the
   * process: `openWithWriteAheadLog` opens one.
   */
  readonly open: () => DatabaseSync;
  /** How long a statement is tried again while another connection writes, milliseconds. */
  readonly busyMs: number;
}

/**
 * Opens a database of `node:sqlite` with a write-ahead log. `full` makes each commit durable; `normal` may lose the last
 * ones if the machine loses power, and is never corrupt. Throws if the file cannot be opened.
 *
 * @example
 * ```ts
 * import { openWithWriteAheadLog } from "@agent-auth/agent-identity/sqlite";
 *
 * openWithWriteAheadLog(":memory:", "full").close();
 * ```
 */
export const openWithWriteAheadLog = (
  path: string,
  synchronous: "full" | "normal",
): DatabaseSync => {
  const { DatabaseSync } = loadSqlite();
  const database = new DatabaseSync(path, { timeout: 0 });
  database.exec(`PRAGMA synchronous = ${synchronous}`);
  try {
    database.exec("PRAGMA journal_mode = WAL");
  } catch {
    // Another program is switching the file to the write-ahead log at this moment, or the file is not a database: the first
    // statement says so.
  }
  return database;
};

/**
 * Creates a client of `effect/sql` over one connection of `node:sqlite`, closed with the scope. Statements wait for locks of
 * other connections without blocking the process. Statements fail with `SqlError`, also if the database cannot be opened.
 *
 * @example
 * ```ts
 * import { makeSqliteClient, openWithWriteAheadLog } from "@agent-auth/agent-identity/sqlite";
 * import * as Effect from "effect/Effect";
 *
 * const program = Effect.gen(function* () {
 *   const open = () => openWithWriteAheadLog(":memory:", "normal");
 *   const sql = yield* makeSqliteClient({ open, busyMs: 2000 });
 *   return yield* sql`SELECT 1 AS one`;
 * });
 * await Effect.runPromise(Effect.scoped(program)); // [{ one: 1 }]
 * ```
 */
export const makeSqliteClient = Effect.fnUntraced(function* ({
  busyMs,
  open,
}: SqliteClientOptions): Effect.fn.Return<SqlClient.SqlClient, never, Scope.Scope> {
  let database: DatabaseSync | undefined;
  yield* Effect.addFinalizer(() => Effect.sync(() => database?.close()));
  const opened = Effect.try({ try: () => (database ??= open()), catch: failed("connect") });
  const schedule = Schedule.upTo(Schedule.jittered(Schedule.spaced(10)), { duration: busyMs });

  const prepared = new Map<string, StatementSync>();
  const prepare = (on: DatabaseSync, sql: string): StatementSync => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const statement = on.prepare(sql);
    if (prepared.size >= maxPrepared) prepared.clear();
    prepared.set(sql, statement);
    return statement;
  };
  const all = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.flatMap(opened, (on) =>
      Effect.retry(
        Effect.try({
          try: () => prepare(on, sql).all(...params.map(inputOf)),
          catch: failed("execute"),
        }),
        { schedule, while: ({ reason }) => reason._tag === "LockTimeoutError" },
      ),
    );
  const values = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.map(all(sql, params), (rows) => rows.map((row) => Object.values(row)));
  const execute: Connection["execute"] = (sql, params, transform) =>
    transform === undefined ? all(sql, params) : Effect.map(all(sql, params), transform);
  const connection: Connection = {
    execute,
    executeRaw: all,
    executeUnprepared: execute,
    executeValues: values,
    executeValuesUnprepared: values,
    executeStream: (sql, params) => Stream.fromIterableEffect(all(sql, params)),
  };
  return yield* SqlClient.make({
    ...SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore: Semaphore.makeUnsafe(1),
      isTransaction: () => database?.isTransaction === true,
    }),
    // Takes the write lock at once: a transaction that reads first could not wait for it later.
    beginTransaction: "BEGIN IMMEDIATE",
    compiler: Statement.makeCompilerSqlite(),
    driver: "node-sqlite",
    spanAttributes: [["db.system.name", "sqlite"]],
  }).pipe(Effect.provide(Reactivity.layer));
});

const inputOf = (value: unknown): SQLInputValue => {
  if (value === undefined || value === null) return null;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint")
    return value;
  if (value instanceof Uint8Array) return value;
  throw new TypeError("SQLite cannot store a value of this type");
};

/** `classifySqliteError` reads the result code from `errno`. The `code` of `node:sqlite` is always the same. */
const failed = (operation: string) => (cause: unknown) => {
  const errno = sqliteResultCode(cause);
  if (cause instanceof Error && errno !== undefined) Object.assign(cause, { errno });
  const reason = classifySqliteError(cause, { message: "SQLite failed", operation });
  return new SqlError({ reason });
};
