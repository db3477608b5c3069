import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { StoreUnavailable } from "../errors/index.ts";
import { checkReplayLimits, type ReplayLimits } from "./limits.ts";

export type { ReplayLimits } from "./limits.ts";

/** One use of an assertion, to be counted. */
export interface AssertionUse {
  readonly agentRuntimeId: string;
  /** `assertionReplayKey`: a digest of agent runtime, task and second. */
  readonly key: string;
  /** When the clock window rejects the assertion anyway, milliseconds since the epoch: it may be forgotten then. */
  readonly forgetAfterMs: number;
}

/** Whether a use is admitted. `full`: the agent has used too many different assertions, and only this agent is affected. */
export type UseVerdict = "admitted" | "replayed" | "full";

/**
 * Counts how often an assertion is used. Servers of several processes share a store: `layerSql` of
 * `@agent-auth/gateway/replay/sql`, or `layerRedis` of `@agent-auth/gateway/replay/redis`.
 *
 * @example
 * ```ts
 * import { AssertionUses } from "@agent-auth/gateway/replay";
 *
 * const layer = AssertionUses.layerMemory({ maxUses: 20 });
 * ```
 */
export class AssertionUses extends Context.Service<
  AssertionUses,
  {
    readonly admit: (use: AssertionUse) => Effect.Effect<UseVerdict, StoreUnavailable>;
    /** The same without an Effect, if the store is in this process. */
    readonly admitNow?: (use: AssertionUse, nowMs: number) => UseVerdict;
  }
>()("@agent-auth/gateway/replay") {
  /** Counts in the memory of this process. Throws `TypeError` or `RangeError` for limits that are not whole numbers of one or more. */
  static readonly layerMemory = (limits: ReplayLimits): Layer.Layer<AssertionUses> => {
    const checked = checkReplayLimits(limits);
    return Layer.sync(AssertionUses, () => AssertionUses.of(makeMemory(checked)));
  };
}

interface Use {
  count: number;
  readonly forgetAfterMs: number;
}

/** How many uses, and how many agents, are looked at for expiry with each new assertion. */
const sweepPerCall = 8;

const makeMemory = ({ maxUses, maxAssertionsPerAgent }: Required<ReplayLimits>) => {
  const agents = new Map<string, Map<string, Use>>();
  let sweeper = agents.entries();

  /** Removes the oldest uses of an agent that may be forgotten. They are roughly in order of time. */
  const forget = (uses: Map<string, Use>, nowMs: number) => {
    let step = 0;
    for (const [key, { forgetAfterMs }] of uses) {
      if (forgetAfterMs < nowMs) uses.delete(key);
      else if ((step += 1) >= sweepPerCall) return;
    }
  };

  /** Looks at the next few agents, so that those that stopped sending take no space. */
  const sweep = (nowMs: number) => {
    for (let step = 0; step < sweepPerCall; step += 1) {
      const { done, value } = sweeper.next();
      if (done === true) {
        sweeper = agents.entries();
        return;
      }
      forget(value[1], nowMs);
      if (value[1].size === 0) agents.delete(value[0]);
    }
  };

  const admitNow = (use: AssertionUse, nowMs: number): UseVerdict => {
    let uses = agents.get(use.agentRuntimeId);
    const known = uses?.get(use.key);
    if (known !== undefined) {
      if (known.count >= maxUses) return "replayed";
      known.count += 1;
      return "admitted";
    }
    sweep(nowMs);
    uses = agents.get(use.agentRuntimeId);
    if (uses === undefined) {
      uses = new Map();
      agents.set(use.agentRuntimeId, uses);
    }
    forget(uses, nowMs);
    if (uses.size >= maxAssertionsPerAgent) return "full";
    uses.set(use.key, { count: 1, forgetAfterMs: use.forgetAfterMs });
    return "admitted";
  };

  return {
    admit: (use: AssertionUse) =>
      Effect.map(Clock.currentTimeMillis, (nowMs) => admitNow(use, nowMs)),
    admitNow,
  };
};
