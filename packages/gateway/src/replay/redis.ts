import { createHash } from "node:crypto";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redis from "effect/persistence/Redis";
import { StoreUnavailable } from "../errors/index.ts";
import { type AssertionUse, AssertionUses, type UseVerdict } from "./index.ts";
import { checkReplayLimits, type ReplayLimits } from "./limits.ts";

/**
 * Counts one use, and a new assertion in its agent's counter. Both keys expire by themselves. Returns 1 if it is admitted,
 * 0 if it is replayed, -1 if the agent's space is full.
 */
const script = `
local uses = redis.call("INCR", KEYS[1])
if uses > 1 then
  if uses > tonumber(ARGV[1]) then return 0 end
  return 1
end
local assertions = redis.call("INCR", KEYS[2])
if assertions == 1 then redis.call("PEXPIRE", KEYS[2], ARGV[4]) end
if assertions > tonumber(ARGV[2]) then
  redis.call("DEL", KEYS[1])
  return -1
end
redis.call("PEXPIRE", KEYS[1], ARGV[3])
return 1
`;
const scriptId = createHash("sha1").update(script).digest("hex");
const isUnknownScript = ({ cause }: Redis.RedisError): boolean =>
  String(cause).includes("NOSCRIPT");

/** Keys of the counter and the use are in one hash slot of a Redis cluster. The agent's id is hashed: it is untrusted text. */
const tagOf = (agentRuntimeId: string): string =>
  createHash("sha256").update(agentRuntimeId).digest("base64url").slice(0, 22);

/** How `layerReplayRedis` uses Redis. */
export interface RedisReplayOptions extends ReplayLimits {
  /** Default `agent-auth:`. */
  readonly prefix?: string;
}

/**
 * How long an agent's counter of assertions runs at least: an agent whose first assertion is about to be forgotten must not get
 * a new counter at once. A fresh assertion is remembered for the clock window, five minutes by default.
 */
const minCounterMs = 300_000;

/**
 * Counts uses in Redis, one script call for each. Nothing has to be kept: if Redis loses its data, an assertion may be used
 * again within its clock window. Everything expires by itself. Throws `TypeError` or `RangeError` for limits that are
 * not whole numbers of one or more.
 *
 * @example
 * ```ts
 * import { layerReplayRedis } from "@agent-auth/gateway/replay/redis";
 *
 * const layer = layerReplayRedis({ maxUses: 20 }); // requires Redis of effect/persistence
 * ```
 */
export const layerReplayRedis = (
  options: RedisReplayOptions,
): Layer.Layer<AssertionUses, never, Redis.Redis> => {
  const { maxUses, maxAssertionsPerAgent } = checkReplayLimits(options);
  const { prefix = "agent-auth:" } = options;
  const limits = [String(maxUses), String(maxAssertionsPerAgent)];
  return Layer.effect(
    AssertionUses,
    Effect.map(Redis.Redis, (redis) => {
      const run = (...args: ReadonlyArray<string>) =>
        Effect.catchIf(redis.send<number>("EVALSHA", scriptId, "2", ...args), isUnknownScript, () =>
          redis.send<number>("EVAL", script, "2", ...args),
        );
      const admit = ({ agentRuntimeId, key, forgetAfterMs }: AssertionUse) =>
        Effect.clockWith((clock) => {
          const agentKey = `${prefix}{${tagOf(agentRuntimeId)}}`;
          const ttlMs = Math.max(1, Math.ceil(forgetAfterMs - clock.currentTimeMillisUnsafe()));
          const counterMs = Math.max(minCounterMs, ttlMs);
          return run(`${agentKey}:${key}`, agentKey, ...limits, `${ttlMs}`, `${counterMs}`);
        }).pipe(
          Effect.mapBoth({
            onFailure: () =>
              new StoreUnavailable({ store: "replay", problem: "a Redis command failed" }),
            onSuccess: (result): UseVerdict =>
              result === 1 ? "admitted" : result === 0 ? "replayed" : "full",
          }),
        );
      return AssertionUses.of({ admit });
    }),
  );
};

/** The part of a Redis client that is used: node-redis has `sendCommand`. */
export interface RedisClient {
  readonly sendCommand: <A>(command: Array<string>) => Promise<A>;
}

/** Rejects, as well, if the client throws. */
const sendNow = async <A>(client: RedisClient, command: Array<string>): Promise<A> =>
  client.sendCommand<A>(command);

const failure = (cause: unknown) => new Redis.RedisError({ cause });

/**
 * Provides `Redis` of effect/persistence over a connected client, such as one of the package `redis`, that the program owns.
 * Commands that take longer than `timeoutMs` (default 1000) fail.
 *
 * @example
 * ```ts
 * import { layerRedisClient, layerReplayRedis } from "@agent-auth/gateway/replay/redis";
 * import * as Layer from "effect/Layer";
 *
 * // A connected client of the package redis: await createClient({ url }).connect()
 * const client = { sendCommand: () => Promise.reject(new Error("not connected")) };
 * const layer = Layer.provide(layerReplayRedis({ maxUses: 20 }), layerRedisClient(client));
 * ```
 */
export const layerRedisClient = (
  client: RedisClient,
  options: { readonly timeoutMs?: number } = {},
): Layer.Layer<Redis.Redis> => {
  const { timeoutMs = 1000 } = options;
  const unsupported = Effect.fail(failure(new Error("only commands are supported")));
  return Layer.effect(
    Redis.Redis,
    Redis.make({
      // A timer of Node: `Effect.timeout` takes as long as the rest of a command, because it starts two fibers.
      send: <A>(command: string, ...args: ReadonlyArray<string>) =>
        Effect.callback<A, Redis.RedisError>((resume) => {
          const late = () => {
            const cause = new Error(`no reply within ${timeoutMs} ms`);
            resume(Effect.fail(failure(cause)));
          };
          const timer = setTimeout(late, timeoutMs);
          const settle = (outcome: Effect.Effect<A, Redis.RedisError>) => {
            clearTimeout(timer);
            resume(outcome);
          };
          sendNow<A>(client, [command, ...args]).then(
            (reply) => settle(Effect.succeed(reply)),
            (cause: unknown) => settle(Effect.fail(failure(cause))),
          );
          return Effect.sync(() => clearTimeout(timer));
        }),
      subscribe: () => unsupported,
      connect: unsupported,
    }),
  );
};
