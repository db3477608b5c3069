import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { AuthorityClock } from "./clock.ts";

const nanosPerMilli = 1_000_000n;

/** Runs an effect by the authority's clock. Only the date is another one: waiting takes real time. */
export const onAuthorityClock = <A, E, R>(
  clock: AuthorityClock,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> =>
  Clock.clockWith((real) => {
    const nowNanos = () => BigInt(Math.floor(clock.nowMs())) * nanosPerMilli;
    return Effect.provideService(effect, Clock.Clock, {
      currentTimeMillisUnsafe: clock.nowMs,
      currentTimeMillis: Effect.sync(clock.nowMs),
      currentTimeNanosUnsafe: nowNanos,
      currentTimeNanos: Effect.sync(nowNanos),
      monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: real.monotonicTimeNanos,
      sleep: (duration) => real.sleep(duration),
    });
  });
