import {
  type AgentPublicKey,
  importAgentPublicKey,
} from "@agent-auth/agent-identity/assertion/verifier";
import * as Cache from "effect/Cache";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Option from "effect/Option";
import { StoreUnavailable } from "../errors/index.ts";
import type { AgentRegistry, RegisteredAgent, TaskName } from "./agent-registry.ts";

/** How long look-ups of the registry are kept in this process. */
export interface RegistryCacheOptions {
  /**
   * How long a found agent or task is used without asking the registry again, milliseconds. A revocation by another process
   * takes effect after this time at most. Default 5 s; 0 asks for every signature that was not verified before.
   */
  readonly ttlMs?: number;
  /** How long an unknown agent stays unknown without asking again. Default 1 s. */
  readonly unknownTtlMs?: number;
  /** How many agents are kept; the longest unused is dropped. Default 10,000. */
  readonly capacity?: number;
}

/** An agent whose key is imported, and its tasks that were found. */
export interface CachedAgent {
  readonly agent: RegisteredAgent;
  readonly key: AgentPublicKey;
  /** Task id → until when it may be used without asking, milliseconds since the epoch. */
  readonly tasks: Map<string, number>;
  readonly freshUntilMs: number;
  /** The number of `forget` calls before it was looked up. */
  readonly generation: number;
}

/** Agents of a registry, kept for a short time. Unknown ids are kept apart, so that they cannot displace known agents. */
export interface CachedRegistry {
  /** The agent, if it is kept and fresh. */
  readonly agentNow: (agentRuntimeId: string, nowMs: number) => CachedAgent | undefined;
  readonly agent: (
    agentRuntimeId: string,
    nowMs: number,
  ) => Effect.Effect<CachedAgent | undefined, StoreUnavailable>;
  /** Whether the agent's task is known, if that was found before and is fresh. */
  readonly hasTaskNow: (agent: CachedAgent, taskId: string, nowMs: number) => boolean;
  readonly hasTask: (
    agent: CachedAgent,
    taskId: string,
    nowMs: number,
  ) => Effect.Effect<boolean, StoreUnavailable>;
  /** Whether nothing was forgotten since the agent was looked up. If not, it may be revoked, and must not be remembered. */
  readonly isCurrent: (agent: CachedAgent) => boolean;
  /** Forgets an agent and its tasks, or everything. Look-ups that run already are not kept, and not shared with later callers. */
  readonly forget: (agentRuntimeId?: string) => void;
  /** How many known and unknown agents are kept. */
  readonly size: () => Effect.Effect<{ readonly known: number; readonly unknown: number }>;
}

/** How many ids that are not registered, and look-ups under way, are kept. */
const unknownCapacity = 10_000;
/** How many tasks of one agent are kept. */
const maxTasks = 1000;

/** Drops the first entry, which is the longest unused, of a map that is over its capacity. */
const trim = <V>(map: Map<string, V>, capacity: number) => {
  if (map.size <= capacity) return;
  const [first] = map.keys();
  if (first !== undefined) map.delete(first);
};

/** An agent of the registry with its key, or the failure of a store that holds a broken key. */
const withKey = (agent: RegisteredAgent, freshUntilMs: number, generation: number) =>
  importAgentPublicKey(agent.publicKey).pipe(
    Effect.map((key): CachedAgent => ({ agent, key, tasks: new Map(), freshUntilMs, generation })),
    Effect.mapError(
      ({ problem }) =>
        new StoreUnavailable({ store: "registry", problem: `a public key is broken: ${problem}` }),
    ),
  );

/**
 * Caches the answers of a registry in this process. Known agents are in a `Map` that is read without an Effect, because
 * that takes less time than starting one (docs/decisions/0093). Unknown ids, and look-ups under way, are in a separate
 * Effect `Cache`: it shares one look-up among all callers and is bounded.
 */
export const makeCachedRegistry = Effect.fnUntraced(function* (
  registry: AgentRegistry["Service"],
  options: RegistryCacheOptions = {},
) {
  const { ttlMs = 5000, unknownTtlMs = 1000, capacity = 10_000 } = options;
  const agents = new Map<string, CachedAgent>();
  let generation = 0;
  const lookUps = yield* Cache.makeWith(
    (agentRuntimeId: string) => registry.findAgent(agentRuntimeId),
    {
      capacity: unknownCapacity,
      timeToLive: (exit) =>
        Exit.isSuccess(exit) && Option.isNone(exit.value)
          ? Duration.millis(unknownTtlMs)
          : Duration.zero,
    },
  );

  const agentNow = (id: string, nowMs: number): CachedAgent | undefined => {
    const found = agents.get(id);
    return found !== undefined && nowMs < found.freshUntilMs ? found : undefined;
  };

  const cached: CachedRegistry = {
    agentNow,
    agent: Effect.fnUntraced(function* (id: string, nowMs: number) {
      const kept = agentNow(id, nowMs);
      if (kept !== undefined) return kept;
      const startedIn = generation;
      const found = yield* Cache.get(lookUps, id);
      if (Option.isNone(found)) {
        agents.delete(id);
        return undefined;
      }
      const expiresAtMs = found.value.expiresAtMs ?? Number.POSITIVE_INFINITY;
      const agent = yield* withKey(found.value, Math.min(nowMs + ttlMs, expiresAtMs), startedIn);
      if (!cached.isCurrent(agent)) return agent;
      agents.delete(id);
      agents.set(id, agent);
      trim(agents, capacity);
      return agent;
    }),
    hasTaskNow: ({ tasks }, taskId, nowMs) => nowMs < (tasks.get(taskId) ?? 0),
    hasTask: Effect.fnUntraced(function* ({ agent, tasks }: CachedAgent, taskId, nowMs) {
      if (nowMs < (tasks.get(taskId) ?? 0)) return true;
      const { agentRuntimeId } = agent;
      const found = yield* registry.findTask({ agentRuntimeId, taskId } satisfies TaskName);
      if (Option.isNone(found)) return false;
      tasks.delete(taskId);
      tasks.set(taskId, Math.min(nowMs + ttlMs, found.value));
      trim(tasks, maxTasks);
      return true;
    }),
    isCurrent: (agent) => agent.generation === generation,
    forget: (id) => {
      generation += 1;
      if (id === undefined) agents.clear();
      else agents.delete(id);
      Effect.runSync(
        id === undefined ? Cache.invalidateAll(lookUps) : Cache.invalidate(lookUps, id),
      );
    },
    size: () => Effect.map(Cache.size(lookUps), (unknown) => ({ known: agents.size, unknown })),
  };
  return cached;
});
