import type * as Effect from "effect/Effect";
import type * as Layer from "effect/Layer";
import * as ManagedRuntime from "effect/ManagedRuntime";
import { ClientClosed, isAgentIdentityError } from "../errors/index.ts";
import type { CallOptions } from "./call-options.ts";

/**
 * What stands behind a Promise face: runs effects over one layer until it is closed. Calls cut off by their signal reject
 * with its reason, calls cut off by closing with `ClientClosed`.
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
        // Effect's own word for an interruption is no answer to a caller.
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
