import * as Effect from "effect/Effect";
import * as Latch from "effect/Latch";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import * as Stream from "effect/Stream";
import type { RefreshLockError, StoreUnavailable } from "../errors/store.ts";
import { CredentialStore, type StoreImplementation } from "./credential-store.ts";
import { HomeLock } from "./lock/index.ts";
import { type RefreshLease, RefreshLock, type RefreshOutcome } from "./lock/refresh-lock.ts";
import { outcomeMemory } from "./lock/outcome-memory.ts";
import { pollForOutcome } from "./lock/poll-for-outcome.ts";
import { parseRefreshOutcome } from "./lock/refresh-outcome.ts";
import { makeCredentialStore } from "./pending-tokens.ts";

export type { RefreshLease } from "./lock/refresh-lock.ts";

/** What an implementation of the lock of refreshes provides. `lockContract` of `@agent-auth/login/testing` tests it. */
export interface RefreshLockImplementation {
  /**
   * Waits for the lease, in most cases for a minute at most (`LeaseBusy`), and holds it until the scope closes. The wait can
   * be interrupted. The implementation extends the lease while it is held; the lease of a process that has ended
   * expires.
   */
  readonly acquire: Effect.Effect<RefreshLease, RefreshLockError, Scope.Scope>;
  /** The text that was recorded last, by any host. */
  readonly lastOutcome: Effect.Effect<Option.Option<string>, StoreUnavailable>;
  /** Replaces the recorded text: about 300 bytes of JSON without secrets. Runs while the lease is held. */
  readonly recordOutcome: (text: string) => Effect.Effect<void, StoreUnavailable>;
  /**
   * Emits an element whenever a text may have been recorded. Without it, programs that wait read it four times a
   * second.
   */
  readonly outcomes?: Stream.Stream<unknown>;
}

export interface CustomStorageOptions {
  readonly store: StoreImplementation;
  /** `process`: only this process ever uses the store, so only its own tasks have to be excluded. */
  readonly lock: RefreshLockImplementation | "process";
}

/** The services that a manager stores a sign-in with. */
export type Storage = CredentialStore | HomeLock | RefreshLock;

/**
 * Returns the storage of a manager, made of your own store and lock: for example, of a database that several hosts
 * share.
 *
 * On such a store the home lock excludes only the tasks of this process. Between processes, a change names the version
 * that it was made from, and is repeated if another process was faster; only a refresh takes a lease.
 *
 * @example
 * ```ts
 * import { type CustomStorageOptions, layer } from "@agent-auth/login/storage/custom";
 * import { layer as authManager, type AuthManagerOptions } from "@agent-auth/login/manager";
 *
 * export const shared = (options: AuthManagerOptions, mine: CustomStorageOptions) =>
 *   authManager({ ...options, storage: layer(mine) });
 * ```
 */
export const layer = ({ lock, store }: CustomStorageOptions): Layer.Layer<Storage> =>
  Layer.mergeAll(
    Layer.sync(CredentialStore, () => makeCredentialStore(store)),
    HomeLock.layerMemory,
    lock === "process" ? RefreshLock.layerMemory : Layer.effect(RefreshLock, makeRefreshLock(lock)),
  );

const POLL_MS = 250;
/** Present if the implementation reports new outcomes. */
const SLOW_POLL_MS = 2_000;

/**
 * Tasks that share the layer queue for the lease. If an outcome cannot be recorded, this process remembers it.
 */
const makeRefreshLock = Effect.fnUntraced(function* (
  lock: RefreshLockImplementation,
): Effect.fn.Return<RefreshLock["Service"], never, Scope.Scope> {
  const queue = Semaphore.makeUnsafe(1);
  const memory = outcomeMemory();
  const scope = yield* Effect.scope;
  const wake = yield* Latch.make();
  const listen =
    lock.outcomes === undefined
      ? Effect.void
      : yield* Effect.cached(
          Effect.asVoid(
            Effect.forkIn(
              Stream.runForEach(lock.outcomes, () => Effect.andThen(wake.open, wake.close)),
              scope,
            ),
          ),
        );
  const lastOutcome = Effect.gen(function* () {
    const text = yield* Effect.orElseSucceed(lock.lastOutcome, () => Option.none<string>());
    const recorded = Option.flatMap(text, (it) => Option.fromUndefinedOr(parseRefreshOutcome(it)));
    const kept = yield* memory.lastOutcome;
    return Option.isSome(recorded) && Option.isSome(kept)
      ? newer(recorded, kept)
      : Option.orElse(recorded, () => kept);
  });
  const pauseMs = lock.outcomes === undefined ? POLL_MS : SLOW_POLL_MS;
  return {
    acquire: Effect.andThen(Semaphore.takeScoped(queue, 1), lock.acquire),
    lastOutcome,
    awaitOutcome: (isAwaited) =>
      Effect.andThen(listen, pollForOutcome(lastOutcome, isAwaited, { pauseMs, wake: wake.await })),
    recordOutcome: (outcome) =>
      Effect.catch(lock.recordOutcome(JSON.stringify(outcome)), (error) =>
        Effect.andThen(
          memory.recordOutcome(outcome),
          Effect.logWarning(`the outcome of a refresh could not be recorded: ${error.message}`),
        ),
      ),
  };
});

const newer = (
  one: Option.Some<RefreshOutcome>,
  other: Option.Some<RefreshOutcome>,
): Option.Option<RefreshOutcome> => (one.value.endedAtMs >= other.value.endedAtMs ? one : other);
