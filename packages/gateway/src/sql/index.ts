import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as SqlClient from "effect/sql/SqlClient";
import type { StoreUnavailable } from "../errors/index.ts";
import { unavailable } from "./unavailable.ts";

/** Statements that create the tables. Each may run again, in any number of processes. */
const tables = [
  `CREATE TABLE IF NOT EXISTS gateway_agent (
    agent_runtime_id TEXT PRIMARY KEY,
    public_key TEXT NOT NULL,
    account_id TEXT NOT NULL,
    account TEXT NOT NULL,
    registered_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT,
    revoked_at_ms BIGINT
  )`,
  `CREATE INDEX IF NOT EXISTS gateway_agent_account ON gateway_agent (account_id)`,
  `CREATE INDEX IF NOT EXISTS gateway_agent_expiry ON gateway_agent (expires_at_ms)`,
  `CREATE TABLE IF NOT EXISTS gateway_task (
    agent_runtime_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    registered_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    PRIMARY KEY (agent_runtime_id, task_id)
  )`,
  `CREATE INDEX IF NOT EXISTS gateway_task_age ON gateway_task (agent_runtime_id, registered_at_ms)`,
  `CREATE INDEX IF NOT EXISTS gateway_task_expiry ON gateway_task (expires_at_ms)`,
  `CREATE TABLE IF NOT EXISTS gateway_assertion (
    assertion_key TEXT PRIMARY KEY,
    agent_runtime_id TEXT NOT NULL,
    uses INTEGER NOT NULL,
    forget_after_ms BIGINT NOT NULL
  )`,
  `CREATE INDEX IF NOT EXISTS gateway_assertion_agent ON gateway_assertion (agent_runtime_id)`,
  `CREATE INDEX IF NOT EXISTS gateway_assertion_expiry ON gateway_assertion (forget_after_ms)`,
];

/** PostgreSQL's `CREATE … IF NOT EXISTS` fails if another session creates the same table, so sessions take turns. */
const advisoryLock = 7_310_579_221;

/**
 * Creates the gateway's tables in the database of `SqlClient` if they are missing. If the program's role may not create
 * tables, an administrator runs this once instead.
 *
 * @example
 * ```ts
 * import { migrate } from "@agent-auth/gateway/sql";
 * import { layerSqlite } from "@agent-auth/gateway/sql/sqlite";
 * import * as Effect from "effect/Effect";
 *
 * await Effect.runPromise(migrate.pipe(Effect.provide(layerSqlite({ path: ":memory:" }))));
 * ```
 */
export const migrate: Effect.Effect<void, StoreUnavailable, SqlClient.SqlClient> = Effect.gen(
  function* () {
    const sql = yield* SqlClient.SqlClient;
    yield* sql.withTransaction(
      Effect.gen(function* () {
        yield* sql.onDialectOrElse({
          pg: () => sql`SELECT pg_advisory_xact_lock(${advisoryLock})`,
          orElse: () => Effect.void,
        });
        for (const statement of tables) yield* sql.unsafe(statement);
      }),
    );
  },
).pipe(Effect.mapError(unavailable("registry")));

/** Runs `migrate` before the layers above it are built. */
export const layerMigrations: Layer.Layer<never, StoreUnavailable, SqlClient.SqlClient> =
  Layer.effectDiscard(migrate);
