import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";

/** One case of a contract. It rejects with an `AssertionError` or with the error of the implementation. */
export interface ContractCase {
  /** A sentence of behaviour. */
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** Opens what a case tests, new and empty for each case: with Effect in a scope, or with promises. */
export type Open<A> =
  | Effect.Effect<A, unknown, Scope.Scope>
  | (() => Promise<A & { readonly close?: () => Promise<void> }>);

/** What a case does with what was opened. */
export type Test<A> = (opened: A) => Effect.Effect<void, unknown, Scope.Scope>;

/** Makes a case of each test of a table. */
export const casesOf = <A, B>(
  open: Open<A>,
  prepare: (opened: A) => B,
  tests: Readonly<Record<string, Test<B>>>,
): ReadonlyArray<ContractCase> => {
  const opened = Effect.map(openScoped(open), prepare);
  return Object.entries(tests).map(([name, test]) => ({
    name,
    run: () => Effect.runPromise(Effect.scoped(Effect.flatMap(opened, test))),
  }));
};

const openScoped = <A>(open: Open<A>): Effect.Effect<A, unknown, Scope.Scope> =>
  Effect.isEffect(open)
    ? open
    : Effect.acquireRelease(Effect.promise(open), ({ close }) =>
        close === undefined ? Effect.void : Effect.promise(close),
      );

/** Milliseconds within which a stream has to report a change. */
export const TELL_WITHIN_MS = 1_000;
