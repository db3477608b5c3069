import type * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import type * as Scope from "effect/Scope";

/** Work that is under way, by key. */
export interface Flights<A, E> {
  /**
   * Joins the work of that key, or starts it. The work belongs to nobody: a caller that is interrupted leaves it
   * running for the others, and only the end of the scope interrupts it. A key is free again before its result is out.
   */
  readonly join: (key: string, work: Effect.Effect<A, E>) => Effect.Effect<A, E>;
}

/** Closing the scope waits for whatever part of the work may not be interrupted. */
export const makeFlights = Effect.fnUntraced(function* <A, E>(): Effect.fn.Return<
  Flights<A, E>,
  never,
  Scope.Scope
> {
  const underWay = new Map<string, Fiber.Fiber<A, E>>();
  let isOpen = true;
  yield* Effect.addFinalizer(() => {
    isOpen = false;
    return Fiber.interruptAll(underWay.values());
  });

  const start = (key: string, work: Effect.Effect<A, E>, context: Context.Context<never>) => {
    const fiber = Effect.runForkWith(context)(work);
    if (fiber.pollUnsafe() === undefined) {
      underWay.set(key, fiber);
      fiber.addObserver(() => underWay.delete(key));
    }
    return Fiber.join(fiber);
  };

  const join: Flights<A, E>["join"] = (key, work) =>
    Effect.contextWith((context) => {
      const fiber = underWay.get(key);
      if (fiber !== undefined) return Fiber.join(fiber);
      return isOpen ? start(key, work, context) : Effect.interrupt;
    });
  return { join };
});
