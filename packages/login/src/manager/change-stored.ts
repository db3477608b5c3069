import * as Effect from "effect/Effect";
import type { HomeLockError } from "../errors/store.ts";
import type { HomeLock, HomeLockHeld } from "../storage/lock/index.ts";

const TIMES = 5;

/**
 * Runs a change of the store under the home lock. If a process that the lock does not exclude changed the store first
 * (`StoreConflict`), the change runs again, up to five times in all. It must therefore begin by reading the store.
 */
export const changeStored = <A, E extends { readonly _tag: string }, R>(
  { withLock }: Pick<HomeLock["Service"], "withLock">,
  change: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | HomeLockError, Exclude<R, HomeLockHeld>> =>
  Effect.retry(withLock(change), {
    times: TIMES - 1,
    while: ({ _tag }) => _tag === "StoreConflict",
  });
