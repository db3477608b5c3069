import type * as Effect from "effect/Effect";
import type * as Layer from "effect/Layer";
import * as ManagedRuntime from "effect/ManagedRuntime";
import { ClientClosed, isAgentIdentityError } from "../errors/index.ts";

/** Options of one call. */
export interface CallOptions {
  /**
   * Aborting it rejects the call with the signal's reason and ends what only this call was waiting for; a request that
   * several calls share continues.
   */
  readonly signal?: AbortSignal;
}

/**
 * Runs effects over one layer until it is closed. Calls interrupted by their signal reject with its reason, calls
 * interrupted by `close` with `ClientClosed`.
 */
export const makePromiseRuntime = <R, LayerError>(layer: Layer.Layer<R, LayerError>) => {
  const runtime = ManagedRuntime.make(layer);
  let isClosed = false;
  return {
    run: async <A, E>(effect: Effect.Effect<A, E, R>, { signal }: CallOptions = {}): Promise<A> => {
      if (isClosed) throw new ClientClosed();
      signal?.throwIfAborted();
      try {
        return await runtime.runPromise(effect, signal && { signal });
      } catch (error) {
        // Effect's error for an interruption means nothing to a caller.
        if (isAgentIdentityError(error)) throw error;
        signal?.throwIfAborted();
        throw isClosed ? new ClientClosed() : error;
      }
    },
    close: (): Promise<void> => {
      isClosed = true;
      return runtime.dispose();
    },
  };
};
