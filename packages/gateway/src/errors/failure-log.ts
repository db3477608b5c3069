import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { StoreName, StoreUnavailable } from "./index.ts";

/** How often the failures of one store are logged: each request may fail while it is down. */
const intervalMs = 10_000;

/** Logs for the operator why a request failed, which the response does not say. */
export interface FailureLog {
  /** Logs a warning that a store failed, at most once in ten seconds for each store, with the number left out. */
  readonly store: (error: StoreUnavailable) => Effect.Effect<void>;
  /** Logs an error that no code expected. Only its name is logged, because its message may contain anything. */
  readonly defect: (defect: unknown) => Effect.Effect<void>;
}

/** Creates a log of failures, which writes to the logger of the fiber that meets one. */
export const makeFailureLog = (): FailureLog => {
  const last = new Map<StoreName | "defect", { atMs: number; leftOut: number }>();
  const log = Effect.fnUntraced(function* (name: StoreName | "defect", text: string) {
    const nowMs = yield* Clock.currentTimeMillis;
    const previous = last.get(name);
    if (previous !== undefined && Math.abs(nowMs - previous.atMs) < intervalMs) {
      previous.leftOut += 1;
      return;
    }
    const more = previous?.leftOut ?? 0;
    last.set(name, { atMs: nowMs, leftOut: 0 });
    yield* Effect.logWarning(more === 0 ? text : `${text} (and ${more} times since the last line)`);
  });
  return {
    store: (error) => log(error.store, `requests get 503: ${error.message}`),
    defect: (defect) => {
      const name = defect instanceof Error ? defect.name : typeof defect;
      return log("defect", `requests get an error: an unexpected ${name}`);
    },
  };
};
