import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { AssertionLookupFailed } from "../errors/index.ts";
import { checkCountOption } from "../number-options.ts";

/**
 * Counts how often an assertion is used. Servers of several processes need a store that the processes share.
 *
 * @example
 * ```ts
 * import { AssertionReplayStore } from "@agent-auth/agent-identity/assertion/verifier";
 *
 * // Admits each assertion 20 times: an agent sends the same one with all requests of a second.
 * const layer = AssertionReplayStore.layerMemory({ maxUses: 20 });
 * ```
 */
export class AssertionReplayStore extends Context.Service<
  AssertionReplayStore,
  {
    /**
     * Counts one use of an assertion and returns whether it is admitted. The key is a digest of its agent runtime, task
     * and timestamp, however the header is spelled. The store may forget it after `forgetAfterMs` (since the epoch), when
     * the clock window rejects the assertion anyway.
     */
    readonly admit: (
      key: string,
      forgetAfterMs: number,
    ) => Effect.Effect<boolean, AssertionLookupFailed>;
  }
>()("@agent-auth/agent-identity/assertion-replay-store") {
  /**
   * Counts in memory. `maxUses` has no default: timestamps have whole seconds, so an agent sends the same assertion
   * with every request of a second, and 1 admits a single request per second. `capacity` limits the number of
   * assertions kept (default 100,000, about 20 MB, all of them signed by known agents); a full store fails with
   * `AssertionLookupFailed`. An agent can add one entry for each second of the clock window and each task that it
   * names, so look tasks up if agents do not trust one another. Throws `TypeError` or `RangeError` unless both are
   * whole numbers of one or more.
   */
  static readonly layerMemory = (options: {
    readonly maxUses: number;
    readonly capacity?: number;
  }): Layer.Layer<AssertionReplayStore> => {
    const limits = checkLimits(options);
    return Layer.sync(AssertionReplayStore, () =>
      AssertionReplayStore.of({ admit: makeAdmit(limits) }),
    );
  };
}

const sweepIntervalMs = 1000;

interface Use {
  count: number;
  readonly forgetAfterMs: number;
}

interface Limits {
  readonly maxUses: number;
  readonly capacity: number;
}

const checkLimits = ({
  maxUses,
  capacity = 100_000,
}: Partial<Limits> & Pick<Limits, "maxUses">) => ({
  maxUses: checkCountOption("maxUses", maxUses, { min: 1 }),
  capacity: checkCountOption("capacity", capacity, { min: 1 }),
});

const makeAdmit = ({ maxUses, capacity }: Limits) => {
  const uses = new Map<string, Use>();
  let sweptAtMs = Number.NEGATIVE_INFINITY;

  /** Once a second, even when full: scanning the whole store for each request would help an attacker who filled it. */
  const sweep = (nowMs: number) => {
    if (Math.abs(nowMs - sweptAtMs) < sweepIntervalMs) return;
    sweptAtMs = nowMs;
    for (const [key, use] of uses) if (use.forgetAfterMs < nowMs) uses.delete(key);
  };

  return Effect.fnUntraced(function* (key: string, forgetAfterMs: number) {
    const nowMs = yield* Clock.currentTimeMillis;
    sweep(nowMs);
    const use = uses.get(key) ?? { count: 0, forgetAfterMs };
    if (use.count >= maxUses) return false;
    if (use.count === 0 && uses.size >= capacity) {
      return yield* new AssertionLookupFailed({ service: "AssertionReplayStore", problem: "full" });
    }
    use.count += 1;
    uses.set(key, use);
    return true;
  });
};
