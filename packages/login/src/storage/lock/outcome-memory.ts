import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { RefreshOutcome } from "./refresh-outcome.ts";

/** Remembers the last outcome of a refresh in this process. */
export const outcomeMemory = () => {
  let last = Option.none<RefreshOutcome>();
  return {
    lastOutcome: Effect.sync(() => last),
    recordOutcome: (outcome: RefreshOutcome) =>
      Effect.sync(() => {
        last = Option.some(outcome);
      }),
  };
};
