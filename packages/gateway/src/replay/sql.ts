import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as SqlClient from "effect/sql/SqlClient";
import { unavailable } from "../sql/unavailable.ts";
import { type AssertionUse, AssertionUses } from "./index.ts";
import { checkReplayLimits, type ReplayLimits } from "./limits.ts";

/** How many rows are deleted at a time, and how often a process looks for some. */
const deletesPerSweep = 1000;
const sweepIntervalMs = 1000;

/**
 * Counts uses in the database of `SqlClient`, one statement for each. Rows that may be forgotten are deleted with later uses,
 * once a second in each process, and more often while there are many. Throws `TypeError` or `RangeError` for limits that are
 * not whole numbers of one or more.
 *
 * @example
 * ```ts
 * import { layerReplaySql } from "@agent-auth/gateway/replay/sql";
 *
 * const layer = layerReplaySql({ maxUses: 20 }); // requires SqlClient
 * ```
 */
export const layerReplaySql = (
  limits: ReplayLimits,
): Layer.Layer<AssertionUses, never, SqlClient.SqlClient> => {
  const { maxUses, maxAssertionsPerAgent } = checkReplayLimits(limits);
  return Layer.effect(
    AssertionUses,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient;
      let sweptAtMs = Number.NEGATIVE_INFINITY;

      const sweep = Effect.fnUntraced(function* (nowMs: number) {
        if (Math.abs(nowMs - sweptAtMs) < sweepIntervalMs) return;
        sweptAtMs = nowMs;
        // Rows that another process is deleting are left to it: two that wait for each other would be a deadlock.
        const skipLocked = sql.onDialectOrElse({
          pg: () => sql.literal("FOR UPDATE SKIP LOCKED"),
          orElse: () => sql.literal(""),
        });
        const deleted = yield* sql`DELETE FROM gateway_assertion WHERE assertion_key IN
          (SELECT assertion_key FROM gateway_assertion
            WHERE forget_after_ms < ${nowMs} LIMIT ${deletesPerSweep} ${skipLocked})
          RETURNING 1 AS deleted`;
        // More uses may come than one sweep a second deletes.
        if (deleted.length === deletesPerSweep) sweptAtMs = Number.NEGATIVE_INFINITY;
      });

      const admit = Effect.fnUntraced(function* (use: AssertionUse) {
        const { agentRuntimeId, key, forgetAfterMs } = use;
        const nowMs = yield* Clock.currentTimeMillis;
        yield* sweep(nowMs);
        const counted = yield* sql`INSERT INTO gateway_assertion
          (assertion_key, agent_runtime_id, uses, forget_after_ms)
          SELECT CAST(${key} AS TEXT), CAST(${agentRuntimeId} AS TEXT), 1,
            CAST(${forgetAfterMs} AS BIGINT)
          WHERE (SELECT count(*) FROM gateway_assertion
              WHERE agent_runtime_id = ${agentRuntimeId}
                AND forget_after_ms >= ${nowMs}) < ${maxAssertionsPerAgent}
            OR EXISTS (SELECT 1 FROM gateway_assertion WHERE assertion_key = ${key})
          ON CONFLICT (assertion_key) DO UPDATE SET uses = gateway_assertion.uses + 1
            WHERE gateway_assertion.uses < ${maxUses}
          RETURNING uses`;
        if (counted.length > 0) return "admitted";
        const known = yield* sql`SELECT uses FROM gateway_assertion WHERE assertion_key = ${key}`;
        return known.length > 0 ? "replayed" : "full";
      });

      return AssertionUses.of({
        admit: (use) => Effect.mapError(admit(use), unavailable("replay")),
      });
    }),
  );
};
