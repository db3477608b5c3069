import { parseJsonObject } from "@agent-auth/agent-identity/encoding";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as SqlClient from "effect/sql/SqlClient";
import { AgentIdTaken, StoreUnavailable } from "../errors/index.ts";
import { unavailable } from "../sql/unavailable.ts";
import {
  type AgentAccount,
  AgentRegistry,
  defaultMaxTasksPerAgent,
  type RegisteredAgent,
} from "./agent-registry.ts";

/** How many expired rows are deleted with each registration. */
const deletesPerCall = 100;

interface AgentRow {
  readonly agent_runtime_id: string;
  readonly public_key: string;
  readonly account: string;
  readonly registered_at_ms: number | bigint | string;
  readonly expires_at_ms: number | bigint | string | null;
  readonly revoked_at_ms: number | bigint | string | null;
}

const accountOf = (text: string): AgentAccount | undefined => {
  const value = parseJsonObject(Buffer.from(text));
  if (typeof value === "string" || typeof value["accountId"] !== "string") return undefined;
  const optional = (name: "userId" | "email" | "planType") =>
    typeof value[name] === "string" ? { [name]: value[name] } : {};
  return {
    accountId: value["accountId"],
    ...optional("userId"),
    ...optional("email"),
    ...optional("planType"),
    isFedramp: value["isFedramp"] === true,
  };
};

const readRow = (row: AgentRow): Effect.Effect<RegisteredAgent, StoreUnavailable> =>
  Effect.suspend(() => {
    const account = accountOf(row.account);
    if (account === undefined)
      return new StoreUnavailable({ store: "registry", problem: "an account is broken" });
    return Effect.succeed({
      agentRuntimeId: row.agent_runtime_id,
      publicKey: row.public_key,
      account,
      registeredAtMs: Number(row.registered_at_ms),
      ...(row.expires_at_ms === null ? {} : { expiresAtMs: Number(row.expires_at_ms) }),
      ...(row.revoked_at_ms === null ? {} : { revokedAtMs: Number(row.revoked_at_ms) }),
    });
  });

const make = Effect.fnUntraced(function* (options: SqlRegistryOptions) {
  const sql = yield* SqlClient.SqlClient;
  const { maxTasksPerAgent = defaultMaxTasksPerAgent } = options;
  const failed = Effect.mapError(unavailable("registry"));

  const deleteExpiredAgents = (nowMs: number) => sql`DELETE FROM gateway_agent
    WHERE agent_runtime_id IN (SELECT agent_runtime_id FROM gateway_agent
      WHERE expires_at_ms <= ${nowMs} LIMIT ${deletesPerCall})`;

  const addAgent = Effect.fnUntraced(function* (agent: RegisteredAgent) {
    const { agentRuntimeId, publicKey, account, registeredAtMs, expiresAtMs = null } = agent;
    yield* deleteExpiredAgents(registeredAtMs);
    // This is more than a clean-up: an id is free again once its agent has expired.
    yield* sql`DELETE FROM gateway_agent
      WHERE agent_runtime_id = ${agentRuntimeId} AND expires_at_ms <= ${registeredAtMs}`;
    const added = yield* sql`INSERT INTO gateway_agent
      (agent_runtime_id, public_key, account_id, account, registered_at_ms, expires_at_ms)
      VALUES (${agentRuntimeId}, ${publicKey}, ${account.accountId}, ${JSON.stringify(account)},
        ${registeredAtMs}, ${expiresAtMs})
      ON CONFLICT (agent_runtime_id) DO NOTHING RETURNING agent_runtime_id`;
    return added.length > 0;
  });

  const addTask = Effect.fnUntraced(function* (task: {
    readonly agentRuntimeId: string;
    readonly taskId: string;
    readonly expiresAtMs: number;
  }) {
    const nowMs = yield* Clock.currentTimeMillis;
    const { agentRuntimeId, taskId, expiresAtMs } = task;
    yield* sql`INSERT INTO gateway_task (agent_runtime_id, task_id, registered_at_ms, expires_at_ms)
      VALUES (${agentRuntimeId}, ${taskId}, ${nowMs}, ${expiresAtMs})
      ON CONFLICT (agent_runtime_id, task_id) DO UPDATE SET expires_at_ms = ${expiresAtMs}`;
    yield* sql`DELETE FROM gateway_task
      WHERE agent_runtime_id = ${agentRuntimeId} AND task_id IN (SELECT task_id FROM gateway_task
        WHERE agent_runtime_id = ${agentRuntimeId} ORDER BY registered_at_ms DESC, task_id
        LIMIT ${deletesPerCall} OFFSET ${maxTasksPerAgent})`;
    yield* sql`DELETE FROM gateway_task WHERE (agent_runtime_id, task_id) IN
      (SELECT agent_runtime_id, task_id FROM gateway_task
        WHERE expires_at_ms <= ${nowMs} LIMIT ${deletesPerCall})`;
  });

  const revoke = Effect.fnUntraced(function* (
    column: "agent_runtime_id" | "account_id",
    id: string,
  ) {
    const nowMs = yield* Clock.currentTimeMillis;
    const revoked = yield* sql<{
      agent_runtime_id: string;
    }>`UPDATE gateway_agent SET revoked_at_ms = ${nowMs}
      WHERE ${sql(column)} = ${id} AND revoked_at_ms IS NULL RETURNING agent_runtime_id`;
    for (const { agent_runtime_id: agentRuntimeId } of revoked)
      yield* sql`DELETE FROM gateway_task WHERE agent_runtime_id = ${agentRuntimeId}`;
    return revoked.length;
  });

  return AgentRegistry.of({
    addAgent: (agent) =>
      failed(addAgent(agent)).pipe(
        Effect.flatMap((isNew) =>
          isNew ? Effect.void : new AgentIdTaken({ agentRuntimeId: agent.agentRuntimeId }),
        ),
      ),
    findAgent: Effect.fnUntraced(function* (agentRuntimeId: string) {
      const nowMs = yield* Clock.currentTimeMillis;
      const [row] = yield* failed(
        sql<AgentRow>`SELECT agent_runtime_id, public_key, account, registered_at_ms, expires_at_ms, revoked_at_ms
          FROM gateway_agent WHERE agent_runtime_id = ${agentRuntimeId}`,
      );
      if (row === undefined) return Option.none();
      const agent = yield* readRow(row);
      const isExpired = agent.expiresAtMs !== undefined && agent.expiresAtMs <= nowMs;
      return isExpired ? Option.none() : Option.some(agent);
    }),
    addTask: (task) => failed(addTask(task)),
    findTask: Effect.fnUntraced(function* ({ agentRuntimeId, taskId }) {
      const nowMs = yield* Clock.currentTimeMillis;
      const [row] = yield* failed(
        sql<{ expires_at_ms: number | bigint | string }>`SELECT expires_at_ms FROM gateway_task
          WHERE agent_runtime_id = ${agentRuntimeId} AND task_id = ${taskId}`,
      );
      const expiresAtMs = Number(row?.expires_at_ms ?? 0);
      return expiresAtMs > nowMs ? Option.some(expiresAtMs) : Option.none();
    }),
    revokeAgent: (id) =>
      Effect.map(failed(revoke("agent_runtime_id", id)), (revoked) => revoked > 0),
    revokeAccount: (id) => failed(revoke("account_id", id)),
    revokeTask: ({ agentRuntimeId, taskId }) =>
      failed(
        Effect.map(
          sql`DELETE FROM gateway_task
            WHERE agent_runtime_id = ${agentRuntimeId} AND task_id = ${taskId} RETURNING task_id`,
          (rows) => rows.length > 0,
        ),
      ),
  });
});

/** Limits of the registry. */
export interface SqlRegistryOptions {
  /** How many tasks of one agent are kept: the newest. Default 1000. */
  readonly maxTasksPerAgent?: number;
}

/**
 * A registry in the database of `SqlClient`: PostgreSQL with `@effect/sql-pg`, or SQLite. `layerMigrations` of
 * `@agent-auth/gateway/sql` creates the tables.
 *
 * @example
 * ```ts
 * import { layerRegistrySql } from "@agent-auth/gateway/registry/sql";
 * import { layerMigrations } from "@agent-auth/gateway/sql";
 * import { layerSqlite } from "@agent-auth/gateway/sql/sqlite";
 * import * as Layer from "effect/Layer";
 *
 * const layer = layerRegistrySql().pipe(
 *   Layer.provide(layerMigrations),
 *   Layer.provide(layerSqlite({ path: ":memory:" })),
 * );
 * ```
 */
export const layerRegistrySql = (
  options: SqlRegistryOptions = {},
): Layer.Layer<AgentRegistry, never, SqlClient.SqlClient> =>
  Layer.effect(AgentRegistry, make(options));
