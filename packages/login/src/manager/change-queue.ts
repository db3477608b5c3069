import type * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Queue from "effect/Queue";
import * as Stream from "effect/Stream";
import type { MaybeCredential } from "./core.ts";

const capacity = 16;

/** What lies between the cell and one listener's stream: the newest changes, until the listener takes them. */
export const openChangeQueue = Effect.map(
  Queue.sliding<MaybeCredential, Cause.Done>(capacity),
  (queue) => ({
    hear: (credential: MaybeCredential) => void Queue.offerUnsafe(queue, credential),
    end: () => void Queue.endUnsafe(queue),
    stream: Stream.fromQueue(queue),
  }),
);
