import * as Effect from "effect/Effect";
import * as Queue from "effect/Queue";
import * as Stream from "effect/Stream";
import type { AccountEvent } from "./types.ts";

/** The events of one service. */
export interface EventSource {
  /** Delivers an event in the next turn of the event loop, after the events before it. */
  readonly emit: (event: AccountEvent) => void;
  readonly listen: (listener: (event: AccountEvent) => void) => () => void;
  readonly events: Stream.Stream<AccountEvent>;
}

/** Events that a slow reader of the stream may fall behind by before it misses the oldest. */
const CAPACITY = 1_024;

export const makeEventSource = (): EventSource => {
  const listeners = new Set<(event: AccountEvent) => void>();
  let waiting: Array<AccountEvent> = [];

  // In a later turn of the event loop, so that the caller of the operation gets its result first.
  const deliver = (): void => {
    const events = waiting;
    waiting = [];
    for (const event of events) for (const listener of listeners) listener(event);
  };
  const listen: EventSource["listen"] = (listener) => {
    const own = (event: AccountEvent): void => listener(event);
    listeners.add(own);
    return () => void listeners.delete(own);
  };
  return {
    emit: (event) => {
      if (waiting.push(event) === 1) setImmediate(deliver);
    },
    listen,
    events: Stream.callback<AccountEvent>(
      (queue) =>
        Effect.acquireRelease(
          Effect.sync(() => listen((event) => void Queue.offerUnsafe(queue, event))),
          (stop) => Effect.sync(stop),
        ),
      { bufferSize: CAPACITY, strategy: "sliding" },
    ),
  };
};
