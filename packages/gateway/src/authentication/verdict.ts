import * as Effect from "effect/Effect";
import { RequestRejected } from "../errors/index.ts";

/** A result at once, or the Effect that waits for a store (docs/decisions/0093). */
export type Verdict<A> = A | RequestRejected | Effect.Effect<A, RequestRejected>;

/** A rejection is an Effect as well, because it can be yielded, so this is asked first. */
export const isRejected = (value: unknown): value is RequestRejected =>
  value instanceof RequestRejected;

/** Continues with a verdict, without starting a fiber if the verdict is available at once. */
export const andThen = <A, B>(verdict: Verdict<A>, next: (value: A) => Verdict<B>): Verdict<B> => {
  if (isRejected(verdict)) return verdict;
  if (!Effect.isEffect(verdict)) return next(verdict);
  return Effect.flatMap(verdict, (value) => asEffect(next(value)));
};

export const asEffect = <A>(verdict: Verdict<A>): Effect.Effect<A, RequestRejected> => {
  if (isRejected(verdict)) return Effect.fail(verdict);
  return Effect.isEffect(verdict) ? verdict : Effect.succeed(verdict);
};
