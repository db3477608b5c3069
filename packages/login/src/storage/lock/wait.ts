import * as Effect from "effect/Effect";
import * as Schedule from "effect/Schedule";
import { HomeLockBusy } from "../../errors/store.ts";

export interface WaitOptions {
  /** The lock file, for the error. */
  readonly path: string;
  /** 0 attempts once. */
  readonly maxWaitMs: number;
  /** Longest pause between two attempts. */
  readonly maxPauseMs: number;
}

/**
 * Repeats an attempt, with growing, jittered pauses, until it returns true. The process is not blocked between two
 * attempts, and the wait can be interrupted. Fails with `HomeLockBusy` after `maxWaitMs`.
 */
export const waitUntil = <E>(
  attempt: Effect.Effect<boolean, E>,
  { maxPauseMs, maxWaitMs, path }: WaitOptions,
): Effect.Effect<void, E | HomeLockBusy> => {
  const once = Effect.flatMap(attempt, (isTaken) =>
    isTaken ? Effect.void : Effect.fail(new HomeLockBusy({ path, waitedMs: maxWaitMs })),
  );
  if (maxWaitMs === 0) return once;
  const pauses = Schedule.min([Schedule.exponential(1, 1.5), Schedule.spaced(maxPauseMs)]);
  return Effect.retry(once, {
    schedule: Schedule.upTo(Schedule.jittered(pauses), { duration: maxWaitMs }),
    while: (error) => error instanceof HomeLockBusy,
  });
};
