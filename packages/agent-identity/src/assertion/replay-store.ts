import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { AssertionLookupFailed } from "../errors/index.ts";
import { checkCountOption } from "../options/numbers.ts";

/** How often one assertion may be used. Servers of several processes need a store that these share. */
export class AssertionReplayStore extends Context.Service<
  AssertionReplayStore,
  {
    /**
     * Counts one use of an assertion, by a key that stands for its runtime, task and second however the header was
     * spelled, and answers whether it is admitted. May be forgotten after `forgetAfterMs` (since the epoch), when the
     * clock window refuses it anyway.
     */
    readonly admit: (
      key: string,
      forgetAfterMs: number,
    ) => Effect.Effect<boolean, AssertionLookupFailed>;
  }
>()("@agent-auth/agent-identity/assertion-replay-store") {
  /**
   * Counts in memory. `maxUses` has no default: timestamps have whole seconds, so an honest agent sends one and the same
   * assertion with every request of a second, and 1 admits a single request a second. `capacity` bounds the memory
   * (default 100,000 assertions, all of them signed by known agents); a full store refuses with `AssertionLookupFailed`.
   * An agent has a window's worth of seconds for each task that it may name, so bind tasks where agents are strangers to
   * one another. Both are whole numbers of one or more; anything else throws `TypeError` or `RangeError` here.
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

  /** Once a second, also when full: a walk through all of it for each request would serve whoever filled it. */
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
