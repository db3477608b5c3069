import { warningContext, warnOnStderr } from "@agent-auth/agent-identity/promises/caller-context";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";

export interface RuntimeOptions {
  /**
   * Effect context in which credentials are loaded and recovered: its logger, tracer, clock and random numbers are used.
   * Get it with `Effect.context()`. Default: warnings go to stderr, and nothing is traced.
   */
  readonly context?: Context.Context<never>;
}

/** Runs Effects for callers that use Promises or callbacks. */
export interface Runtime {
  readonly context: Context.Context<never>;
  /** Runs an Effect. Aborting `signal` rejects at once but does not interrupt the Effect, which others may wait for. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>, signal?: AbortSignal | null) => Promise<A>;
  /** As `run`, but aborting `signal` interrupts the Effect. */
  readonly runInterruptible: <A, E>(
    effect: Effect.Effect<A, E>,
    signal?: AbortSignal | null,
  ) => Promise<A>;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/** Returns a runtime over the caller's context, or over one that logs warnings to stderr. */
export const makeRuntime = ({ context = stderrContext }: RuntimeOptions = {}): Runtime => {
  const runPromise = Effect.runPromiseWith(context);
  const clock = Context.get(context, Clock.Clock);
  return {
    context,
    run: (effect, signal) => waitFor(runPromise(effect), signal),
    runInterruptible: async (effect, signal) => {
      if (signal === null || signal === undefined) return runPromise(effect);
      signal.throwIfAborted();
      try {
        return await runPromise(effect, { signal });
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      }
    },
    nowMs: () => clock.currentTimeMillisUnsafe(),
  };
};

const stderrContext = warningContext(warnOnStderr);

/**
 * Waits for a promise until the signal aborts. The work behind the promise continues, since other callers may wait for
 * it.
 */
export const waitFor = <A>(
  promise: Promise<A>,
  signal: AbortSignal | null | undefined,
): Promise<A> => {
  if (signal === null || signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      reject(signal.reason);
    };
    const settle =
      <B>(done: (value: B) => void) =>
      (value: B) => {
        signal.removeEventListener("abort", onAbort);
        done(value);
      };
    promise.then(settle(resolve), settle(reject));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
};
