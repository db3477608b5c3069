import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Reactivity from "effect/reactivity/Reactivity";
import * as Semaphore from "effect/Semaphore";
import * as SqlClient from "effect/sql/SqlClient";
import type { Connection } from "effect/sql/SqlConnection";
import { classifySqliteError, SqlError } from "effect/sql/SqlError";
import * as Statement from "effect/sql/Statement";
import * as Stream from "effect/Stream";
import { StoreUnavailable } from "../errors/index.ts";

/** How many prepared statements are kept. */
const maxPrepared = 100;

const isInput = (value: unknown): value is SQLInputValue =>
  value === null ||
  typeof value === "string" ||
  typeof value === "number" ||
  typeof value === "bigint" ||
  value instanceof Uint8Array;

const inputOf = (value: unknown): SQLInputValue => {
  if (isInput(value)) return value;
  if (value === undefined) return null;
  if (typeof value === "boolean") return value ? 1 : 0;
  throw new TypeError("SQLite cannot store a value of this type");
};

const sqlError = (cause: unknown) =>
  new SqlError({
    reason: classifySqliteError(cause, { message: "SQLite failed", operation: "execute" }),
  });

const connect = (database: DatabaseSync): Connection => {
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    if (prepared.size >= maxPrepared) prepared.clear();
    prepared.set(sql, statement);
    return statement;
  };
  const all = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.try({ try: () => prepare(sql).all(...params.map(inputOf)), catch: sqlError });
  const values = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.map(all(sql, params), (rows) => rows.map((row) => Object.values(row)));
  const execute: Connection["execute"] = (sql, params, transform) =>
    Effect.map(all(sql, params), (rows) => (transform === undefined ? rows : transform(rows)));
  return {
    execute,
    executeRaw: all,
    executeStream: (sql, params) => Stream.fromIterableEffect(all(sql, params)),
    executeValues: values,
    executeValuesUnprepared: values,
    executeUnprepared: execute,
  };
};

/** Where the database is. */
export interface SqliteOptions {
  /** A file that processes of this machine share, or `:memory:`. */
  readonly path: string;
  /** How long a write waits for another process, milliseconds. Default 5000. */
  readonly busyTimeoutMs?: number;
}

const open = ({ path, busyTimeoutMs = 5000 }: SqliteOptions): DatabaseSync => {
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs });
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  return database;
};

/**
 * Provides `SqlClient` over Node's own SQLite, with write-ahead logging: for one host, and for tests. Fails with
 * `StoreUnavailable` if the file cannot be opened.
 *
 * @example
 * ```ts
 * import { layerSqlite } from "@agent-auth/gateway/sql/sqlite";
 *
 * const layer = layerSqlite({ path: ":memory:" });
 * ```
 */
export const layerSqlite = (
  options: SqliteOptions,
): Layer.Layer<SqlClient.SqlClient, StoreUnavailable> =>
  Layer.effect(
    SqlClient.SqlClient,
    Effect.gen(function* () {
      const database = yield* Effect.acquireRelease(
        Effect.try({
          try: () => open(options),
          catch: () =>
            new StoreUnavailable({
              store: "registry",
              problem: `the SQLite file ${options.path} cannot be opened`,
            }),
        }),
        (opened) => Effect.sync(() => opened.close()),
      );
      const connection = connect(database);
      const acquirers = SqlClient.makeSqliteAcquirers({
        connection: Effect.succeed(connection),
        semaphore: yield* Semaphore.make(1),
        isTransaction: () => database.isTransaction,
      });
      return yield* SqlClient.make({
        ...acquirers,
        compiler: Statement.makeCompilerSqlite(),
        driver: "node-sqlite",
        spanAttributes: [["db.system.name", "sqlite"]],
        beginTransaction: "BEGIN IMMEDIATE",
      });
    }),
  ).pipe(Layer.provide(Reactivity.layer));
