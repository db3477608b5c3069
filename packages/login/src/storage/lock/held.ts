import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";

/** One use of a lock: the home that it locked, its folders, and whether its effect has ended. */
export interface HeldLock {
  readonly home: string | symbol;
  readonly folders: ReadonlyArray<string>;
  isOver: boolean;
}

/**
 * Shows that the running effect holds a home lock. Only `HomeLock` provides it. Everything that changes a store
 * requires it, so that a change without the lock does not compile.
 *
 * @example
 * ```ts
 * import { CredentialStore } from "@agent-auth/login/storage";
 * import { layer as fileStore } from "@agent-auth/login/storage/file";
 * import { HomeLock, layer as homeLock } from "@agent-auth/login/storage/lock";
 * import * as Effect from "effect/Effect";
 * import * as Layer from "effect/Layer";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const codexHome = { path: mkdtempSync(join(tmpdir(), "codex-home-")), explicit: true };
 * const signOut = CredentialStore.use((store) => store.remove()); // requires HomeLockHeld
 * const program = HomeLock.use((lock) => lock.withLock(signOut));
 * const layers = Layer.merge(fileStore({ codexHome }), homeLock({ codexHome }));
 * await Effect.runPromise(Effect.provide(program, layers));
 * ```
 */
export class HomeLockHeld extends Context.Service<
  HomeLockHeld,
  { readonly turns: ReadonlyArray<HeldLock> }
>()("@agent-auth/login/storage/lock/HomeLockHeld") {}

/** Dies if the lock has been released since: a fiber that outlives its lock must not change a store. */
export const assertHomeLockHeld: Effect.Effect<void, never, HomeLockHeld> = Effect.flatMap(
  HomeLockHeld,
  ({ turns }) =>
    turns.every((turn) => turn.isOver)
      ? Effect.die(new Error("a credential store was changed after its HomeLock was released"))
      : Effect.void,
);

/** Returns the locks that the running effect holds. Dies if one of them is for the same home. */
export const heldLocks = (home: string | symbol): Effect.Effect<ReadonlyArray<HeldLock>> =>
  Effect.flatMap(Effect.serviceOption(HomeLockHeld), (held) => {
    const turns = Option.isSome(held) ? held.value.turns.filter((turn) => !turn.isOver) : [];
    return turns.some((turn) => turn.home === home)
      ? Effect.die(
          new Error(
            `HomeLock is not re-entrant: the caller already holds the lock of ${String(home)}`,
          ),
        )
      : Effect.succeed(turns);
  });
