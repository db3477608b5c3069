import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Random from "effect/Random";
import { HomeLockBusy } from "../../errors/store.ts";

export interface WaitOptions {
  /** What the error names. */
  readonly path: string;
  readonly maxWaitMs: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * Asks again and again, with growing, jittered pauses, until `attempt` answers true. Between two attempts the process
 * is free and the wait can be interrupted.
 */
export const waitUntil = <E>(
  attempt: Effect.Effect<boolean, E>,
  options: WaitOptions,
): Effect.Effect<void, E | HomeLockBusy> =>
  Effect.gen(function* () {
    const startMs = yield* Clock.currentTimeMillis;
    for (let delayMs = options.firstDelayMs; ; delayMs *= 1.5) {
      if (yield* attempt) return;
      const waitedMs = (yield* Clock.currentTimeMillis) - startMs;
      if (waitedMs >= options.maxWaitMs)
        return yield* new HomeLockBusy({ path: options.path, waitedMs });
      const jitter = 0.5 + (yield* Random.next);
      yield* Effect.sleep(Math.min(delayMs, options.maxDelayMs) * jitter);
    }
  });
