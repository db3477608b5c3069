import { HomeLock, type HomeLockHeld } from "@agent-auth/login/storage/lock";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";

/** Runs a test in its own scope, holding a home lock, which on these stores excludes tasks of one process only. */
export const run = <A, E>(work: Effect.Effect<A, E, HomeLockHeld | Scope.Scope>): Promise<A> =>
  HomeLock.use(({ withLock }) => withLock(work)).pipe(
    Effect.provide(HomeLock.layerMemory),
    Effect.scoped,
    Effect.runPromise,
  );
