import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import type { HomeLockError } from "../../errors/store.ts";

/** One turn of one lock; `isOver` once its effect has ended, for fibers that outlive it. */
export interface Turn {
  readonly key: string;
  isOver: boolean;
}

/** The locks that the running effect is inside of. */
export const HeldTurns: Context.Reference<ReadonlyArray<Turn>> = Context.Reference(
  "@agent-auth/login/home-lock/held",
  { defaultValue: (): ReadonlyArray<Turn> => [] },
);

export type WithLock = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
) => Effect.Effect<A, E | HomeLockError, R>;

/** Lets an effect through that is inside the same lock already. */
export const reentrant =
  (key: string, lock: WithLock): WithLock =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const held = yield* HeldTurns;
      if (held.some((turn) => turn.key === key && !turn.isOver)) return yield* effect;
      const turn: Turn = { key, isOver: false };
      const end = Effect.sync(() => {
        turn.isOver = true;
      });
      return yield* lock(
        effect.pipe(Effect.provideService(HeldTurns, [...held, turn]), Effect.ensuring(end)),
      );
    });
