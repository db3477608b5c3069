import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import type * as Scope from "effect/Scope";

/** Where callers find what one of them has started. */
export interface Slot<A, E> {
  flight: Fiber.Fiber<A, E> | undefined;
}

/**
 * Joins what is under way in the slot, or starts `work` there. It runs in `scope`, so that it outlives a first caller who
 * goes away, but not the layer that it works for; where it ends with that, those of another layer who joined it start
 * their own.
 */
export const joinOrStart = <A, E>(
  slot: Slot<A, E>,
  work: Effect.Effect<A, E>,
  scope: Scope.Scope,
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const { flight } = slot;
    if (flight === undefined) return start(slot, work, scope);
    return Effect.flatMap(Fiber.await(flight), (exit) =>
      Exit.hasInterrupts(exit) ? joinOrStart(slot, work, scope) : exit,
    );
  });

const start = <A, E>(slot: Slot<A, E>, work: Effect.Effect<A, E>, scope: Scope.Scope) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkIn(work, scope), (fiber) => {
      slot.flight = fiber;
      // By an observer, not a finaliser in `work`: a fiber of a closed scope ends before it begins.
      fiber.addObserver(() => {
        slot.flight = undefined;
      });
      return restore(Fiber.join(fiber));
    }),
  );
