import type * as Effect from "effect/Effect";
import type * as Layer from "effect/Layer";
import * as ManagedRuntime from "effect/ManagedRuntime";
import { ClientClosed } from "../errors.ts";
import type { CallOptions } from "../promises/call-options.ts";

/** What stands behind a Promise face: runs effects over one layer until it is closed, then rejects with `ClientClosed`. */
export const makePromiseRuntime = <R, LayerError>(layer: Layer.Layer<R, LayerError>) => {
  const runtime = ManagedRuntime.make(layer);
  let isClosed = false;
  return {
    run: async <A, E>(effect: Effect.Effect<A, E, R>, call: CallOptions = {}): Promise<A> => {
      if (isClosed) throw new ClientClosed();
      try {
        return await runtime.runPromise(effect, call);
      } catch (error) {
        // Closing interrupts what is under way, and Effect's word for that is no answer to a caller.
        const isTyped = error instanceof Error && "code" in error;
        throw isClosed && !isTyped && call.signal?.aborted !== true ? new ClientClosed() : error;
      }
    },
    close: (): Promise<void> => {
      isClosed = true;
      return runtime.dispose();
    },
  };
};
