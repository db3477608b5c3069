import * as Context from "effect/Context";

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
