import { chmodSync, closeSync, openSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
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

// Effect's driver for node:sqlite exists for its version 3 and as a beta for 4 only (docs/decisions/0091).

/** How long a statement is retried while another connection writes. The process is not blocked. */
const BUSY_MS = 2_000;

/** The client of one SQLite file, opened at the first statement: one connection, write-ahead log, created 0600. */
export const makeSqliteClient = Effect.fnUntraced(function* (
  path: string,
): Effect.fn.Return<SqlClient.SqlClient, never, Scope.Scope> {
  let database: DatabaseSync | undefined;
  yield* Effect.addFinalizer(() => Effect.sync(() => database?.close()));
  const open = Effect.try({
    try: () => (database ??= openDatabase(path)),
    catch: failed("connect"),
  });
  const run = <A>(use: (database: DatabaseSync) => A): Effect.Effect<A, SqlError> =>
    Effect.flatMap(open, (opened) =>
      Effect.retry(Effect.try({ try: () => use(opened), catch: failed("execute") }), {
        while: ({ reason }) => reason._tag === "LockTimeoutError",
        schedule: Schedule.upTo(Schedule.jittered(Schedule.spaced(10)), { duration: BUSY_MS }),
      }),
    );
  const execute = (sql: string, params: ReadonlyArray<unknown>) =>
    run((opened) => all(opened.prepare(sql), params));
  const values = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.map(execute(sql, params), (rows) => rows.map((row) => Object.values(row)));
  const connection: Connection = {
    execute: (sql, params, transform) =>
      transform === undefined ? execute(sql, params) : Effect.map(execute(sql, params), transform),
    executeRaw: execute,
    executeUnprepared: (sql, params) => execute(sql, params),
    executeValues: values,
    executeValuesUnprepared: values,
    executeStream: () => Stream.die("not needed"),
  };
  return yield* SqlClient.make({
    ...SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore: Semaphore.makeUnsafe(1),
    }),
    // Takes the write lock at once: a transaction that reads first could not wait for it later.
    beginTransaction: "BEGIN IMMEDIATE",
    compiler: Statement.makeCompilerSqlite(),
    driver: "node-sqlite",
    spanAttributes: [["db.system.name", "sqlite"]],
  }).pipe(Effect.provide(Reactivity.layer));
});

type Row = Readonly<Record<string, unknown>>;

const all = (statement: StatementSync, params: ReadonlyArray<unknown>): ReadonlyArray<Row> => {
  const values = params.map((value) =>
    typeof value === "string" || typeof value === "number" || typeof value === "bigint"
      ? value
      : null,
  );
  return statement.all(...values);
};

const openDatabase = (path: string): DatabaseSync => {
  if (path !== ":memory:") closeSync(openSync(path, "a", 0o600));
  const { DatabaseSync } = loadSqlite();
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  } catch {
    // Another program is switching the file to the write-ahead log at this moment.
  }
  for (const suffix of ["-wal", "-shm"])
    try {
      chmodSync(`${path}${suffix}`, 0o600);
    } catch {
      // Not there, or another user's.
    }
  return database;
};

/** Node 22 prints an ExperimentalWarning when node:sqlite is loaded, and a library must not write to stderr. */
const loadSqlite = () => {
  const emitWarning = Object.getOwnPropertyDescriptor(process, "emitWarning");
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule("node:sqlite");
  } finally {
    if (emitWarning !== undefined) Object.defineProperty(process, "emitWarning", emitWarning);
  }
};

const failed = (operation: string) => (cause: unknown) =>
  new SqlError({ reason: classifySqliteError(cause, { message: "sqlite failed", operation }) });
