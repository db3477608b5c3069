import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Schedule from "effect/Schedule";
import type { RefreshOutcome } from "./refresh-outcome.ts";

export interface PollOptions {
  /** Milliseconds between two reads, give or take a fifth. */
  readonly pauseMs: number;
  /** Ends a pause. */
  readonly wake?: Effect.Effect<unknown>;
}

/** Reads the last outcome until the function accepts it. */
export const pollForOutcome = (
  lastOutcome: Effect.Effect<Option.Option<RefreshOutcome>>,
  isAwaited: (outcome: RefreshOutcome) => boolean,
  { pauseMs, wake = Effect.never }: PollOptions,
): Effect.Effect<RefreshOutcome> => {
  const awaited = Effect.map(lastOutcome, Option.filter(isAwaited));
  const spaced = Effect.repeat(awaited, {
    until: Option.isSome,
    schedule: Schedule.jittered(Schedule.spaced(pauseMs)),
  });
  const found = Effect.raceFirst(spaced, Effect.andThen(wake, awaited));
  const look: Effect.Effect<RefreshOutcome> = Effect.flatMap(
    found,
    Option.match({ onSome: Effect.succeed, onNone: () => look }),
  );
  return look;
};
