import type { PgClient } from "@effect/sql-pg/PgClient";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Schedule from "effect/Schedule";
import * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { describeFailure, type StatementFailure } from "./failure.ts";
import { migrate, tableNames, type TableNames } from "./migrations.ts";
import type { StoreTarget } from "./target.ts";

export type { StatementFailure } from "./failure.ts";

/** A database that is connected to at first use. No operation takes longer than its time-out. */
export interface Database {
  readonly names: TableNames;
  /** Runs a statement. It is sent again if the connection breaks, so it must be safe to run twice. */
  readonly run: <A>(
    statement: (sql: SqlClient) => Effect.Effect<A, SqlError>,
  ) => Effect.Effect<A, StatementFailure>;
  /** The client for LISTEN; fails if the database cannot be opened, undefined if it has no LISTEN. */
  readonly listening: Effect.Effect<PgClient | undefined, StatementFailure>;
  /** Creates or updates the tables. */
  readonly migrate: Effect.Effect<void, StatementFailure>;
}

export interface DatabaseOptions {
  /** Milliseconds for one statement, connecting included. */
  readonly statementTimeoutMs: number;
  /** Create or update the tables at first use. */
  readonly migrate: boolean;
}

const MIGRATE_WITHIN_MS = 30_000;
/** Retries twice, after a short pause, if the connection broke: a new one reaches a restarted server. */
const again = Schedule.upTo(Schedule.jittered(Schedule.exponential(50, 3)), { times: 2 });

/** Opens a database until the scope closes. Connects later. */
export const openDatabase = Effect.fnUntraced(function* (
  target: StoreTarget,
  { migrate: isMigrated, statementTimeoutMs }: DatabaseOptions,
): Effect.fn.Return<Database, never, Scope.Scope> {
  const outer = yield* Effect.scope;
  // Closed in the opposite order: a pool waits for what its statements hold.
  const pool = yield* Scope.fork(outer);
  const scope = yield* Scope.fork(outer);
  const names = tableNames(
    target.tablePrefix,
    target._tag === "Postgres" ? target.schema : undefined,
  );
  const connect: Effect.Effect<PgClient | SqlClient, SqlError, Scope.Scope> =
    target._tag === "Postgres"
      ? Effect.flatMap(
          Effect.promise(() => import("./postgres.ts")),
          ({ makePostgresClient }) => makePostgresClient(target),
        )
      : Effect.flatMap(
          Effect.promise(() => import("./sqlite.ts")),
          ({ makeSqliteClient }) => makeSqliteClient(target.path),
        );
  const client = yield* once(Scope.provide(connect, pool));

  /** The statement continues in the background if it does not end in time: cancelling it may take as long again. */
  const within = <A>(
    ms: number,
    statement: Effect.Effect<A, SqlError>,
  ): Effect.Effect<A, StatementFailure> =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkIn(statement, scope);
      const abandon = Effect.sync(() => fiber.interruptUnsafe());
      const exit = yield* Effect.onInterrupt(
        Effect.timeoutOrElse(Fiber.await(fiber), {
          duration: ms,
          orElse: () => Effect.andThen(abandon, Effect.succeed(undefined)),
        }),
        () => abandon,
      );
      if (exit === undefined)
        return yield* Effect.fail<StatementFailure>({
          kind: "unavailable",
          reason: `no response within ${ms / 1000} s`,
        });
      if (Exit.isSuccess(exit)) return exit.value;
      return yield* Effect.mapError(exit, describeFailure);
    });

  const runMigrations = within(
    MIGRATE_WITHIN_MS,
    Effect.flatMap(client, (sql) =>
      Effect.catchTag(migrate(sql, names), "MigrationError", (error) =>
        isSqlError(error.cause) ? Effect.fail(error.cause) : Effect.die(error),
      ),
    ),
  );
  const version = within(
    statementTimeoutMs,
    Effect.flatMap(client, (sql) => sql`SELECT sign_in FROM ${sql(names.document)} LIMIT 1`),
  );
  const ready = yield* once(
    isMigrated
      ? Effect.catchIf(
          version,
          ({ kind }) => kind === "schemaMissing",
          () => runMigrations,
        )
      : Effect.void,
  );

  return {
    names,
    migrate: runMigrations,
    listening: Effect.mapError(client, describeFailure).pipe(
      Effect.map((opened) => ("listen" in opened ? opened : undefined)),
    ),
    run: (statement) =>
      Effect.andThen(ready, within(statementTimeoutMs, Effect.flatMap(client, statement))).pipe(
        Effect.retry({ schedule: again, while: isBroken }),
      ),
  };
});

/** A connection that broke, not one that does not respond. */
const isBroken = ({ kind, reason }: StatementFailure): boolean =>
  kind === "unavailable" && !reason.startsWith("no response");

const isSqlError = (error: unknown): error is SqlError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "SqlError";

/** As `Effect.cached`, but a failure is not remembered. */
const once = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Effect.Effect<A, E>> =>
  Effect.sync(() => {
    const turn = Semaphore.makeUnsafe(1);
    let done: Exit.Exit<A> | undefined;
    const first = turn.withPermit(
      Effect.suspend(
        (): Effect.Effect<A, E> =>
          done ??
          Effect.tap(effect, (value) =>
            Effect.sync(() => {
              done = Exit.succeed(value);
            }),
          ),
      ),
    );
    return Effect.suspend(() => done ?? first);
  });
