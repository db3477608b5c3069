import * as Effect from "effect/Effect";
import type * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Queue from "effect/Queue";
import * as Stream from "effect/Stream";
import { describeSource } from "../errors/credential.ts";
import {
  LeaseBusy,
  LeaseLost,
  StoreConflict,
  type StoreError,
  StoreUnavailable,
  StoreUnreadable,
  StoreUnwritable,
} from "../errors/store.ts";
import { compact } from "../internal/compact.ts";
import { encodeAuthJson, parseAuthJson } from "../storage/auth-json/index.ts";
import type { SaveOptions, StoreImplementation, StoreSource } from "../storage/credential-store.ts";
import {
  layer as customStorage,
  type RefreshLockImplementation,
  type Storage,
} from "../storage/custom.ts";

const storageLayer: unique symbol = Symbol.for("@agent-auth/login/storage");

/** A store and its locks, as a package such as `@agent-auth/login-sql` makes them. */
export interface PromiseStorage {
  readonly [storageLayer]: Layer.Layer<Storage>;
}

/**
 * Returns a layer of storage as a value for `createAuthManager({ storage })`. For packages that provide a store.
 *
 * @example
 * ```ts
 * import { createAuthManager } from "@agent-auth/login/promises";
 * import { toPromiseStorage } from "@agent-auth/login/promises/storage";
 * import { type CustomStorageOptions, layer } from "@agent-auth/login/storage/custom";
 *
 * export const open = (mine: CustomStorageOptions) =>
 *   createAuthManager({ environmentCredentials: false, storage: toPromiseStorage(layer(mine)) });
 * ```
 */
export const toPromiseStorage = (layer: Layer.Layer<Storage>): PromiseStorage => ({
  [storageLayer]: layer,
});

/**
 * Returns the layer that `toPromiseStorage` was given.
 *
 * @example
 * ```ts
 * import { layer, type AuthManagerOptions } from "@agent-auth/login/manager";
 * import { layerOfStorage, type PromiseStorage } from "@agent-auth/login/promises/storage";
 *
 * export const withEffect = (options: AuthManagerOptions, storage: PromiseStorage) =>
 *   layer({ ...options, storage: layerOfStorage(storage) });
 * ```
 */
export const layerOfStorage = (storage: PromiseStorage): Layer.Layer<Storage> =>
  storage[storageLayer];

/**
 * Returns the storage of a manager, made of a store and a lock with promises. `createAuthManager({ store, lock })` uses it.
 *
 * @example
 * ```ts
 * import { layer, type AuthManagerOptions } from "@agent-auth/login/manager";
 * import { fromPromises, type PromiseStore } from "@agent-auth/login/promises/storage";
 *
 * export const withEffect = (options: AuthManagerOptions, store: PromiseStore) =>
 *   layer({ ...options, storage: fromPromises(store, "process") });
 * ```
 */
export const fromPromises = (
  store: PromiseStore,
  lock: PromiseRefreshLock | "process",
): Layer.Layer<Storage> =>
  customStorage({
    store: fromPromiseStore(store),
    lock: lock === "process" ? lock : fromPromiseLock(lock, `${store.name} (${store.where})`),
  });

interface Call {
  /** Aborted when no caller waits for the answer any more. */
  readonly signal: AbortSignal;
}

/**
 * Your own store: it keeps one text, which contains secrets, and distinguishes its versions. An error of one of its
 * functions is reported as `StoreUnavailable`, without the error's message, unless it is an error class of this
 * package.
 * `storeContract` of `@agent-auth/login/testing` tests it.
 */
export interface PromiseStore {
  /** Shown to people with `where`, such as `redis` and `cache.example:6379`. Neither may contain a password. */
  readonly name: string;
  readonly where: string;
  /** The text and its version; `null` if nothing is stored. Nothing may be cached. */
  readonly load: (
    call: Call,
  ) => Promise<{ readonly content: string; readonly version: string } | null>;
  /**
   * Stores the text atomically and durably. `conflict`: `expected` is given, and another version is stored (`null`: nothing
   * may be stored). `leaseLost`: a lease with a larger fencing token was handed out. Nothing is changed then.
   */
  readonly save: (
    content: string,
    call: SaveOptions & Call,
  ) => Promise<"saved" | "conflict" | "leaseLost">;
  /** Removes the text. `conflict`: as for `save`. */
  readonly remove: (
    call: { readonly expected?: string } & Call,
  ) => Promise<"removed" | "absent" | "conflict">;
  /** Rejects if `save` would fail, and changes nothing. Default: `load`, as a proof that the store responds. */
  readonly checkWritable?: (call: Call) => Promise<void>;
  /** Calls the listener whenever the text may have changed, until the returned function is called. Default: polling. */
  readonly subscribe?: (onChange: () => void) => () => void;
}

/** What `PromiseRefreshLock.acquire` resolves with. */
export interface PromiseRefreshLease {
  /** A safe integer, larger than that of every earlier lease. */
  readonly fencingToken?: number;
  /** Returns whether the lease is still held; if so, renews it for its full time. Default: always. */
  readonly confirm?: () => Promise<boolean>;
  readonly release: () => Promise<void>;
}

/**
 * The lock under which one process of all hosts refreshes the sign-in. `lockContract` of `@agent-auth/login/testing` tests
 * it.
 */
export interface PromiseRefreshLock {
  /**
   * Waits for the lease, which is held until `release`. The lock extends the lease in the meantime; the lease of a
   * process that has ended expires. `null`: another process has held it for too long.
   */
  readonly acquire: (call: Call) => Promise<PromiseRefreshLease | null>;
  /** The text that was recorded last, by any host. */
  readonly lastOutcome: (call: Call) => Promise<string | null>;
  /** Replaces the recorded text, about 300 bytes without secrets. Called while the lease is held. */
  readonly recordOutcome: (text: string, call: Call) => Promise<void>;
}

/**
 * Returns a Promise store as one for Effect.
 *
 * @example
 * ```ts
 * import { fromPromiseStore, type PromiseStore } from "@agent-auth/login/promises/storage";
 * import type { StoreImplementation } from "@agent-auth/login/storage";
 *
 * export const forEffect = (store: PromiseStore): StoreImplementation => fromPromiseStore(store);
 * ```
 */
export const fromPromiseStore = (store: PromiseStore): StoreImplementation => {
  const { name, where } = store;
  const source: StoreSource = { _tag: "Store", name, where };
  const place = describeSource(source);
  const run = <A>(
    operation: StoreUnavailable["operation"],
    ask: (signal: AbortSignal) => Promise<A>,
  ) => attempt(place, operation, ask);
  const load: StoreImplementation["load"] = Effect.gen(function* () {
    const found = yield* run("load", (signal) => store.load({ signal }));
    if (found === null) return Option.none();
    const document = yield* parseAuthJson(found.content, place);
    return Option.some({ document, source, version: found.version });
  });
  const { checkWritable, subscribe } = store;
  return {
    describe: { mode: "custom", places: [source], isPersistent: true },
    load,
    save: Effect.fnUntraced(function* (document, options) {
      const content = encodeAuthJson(document, { layout: "compact" });
      const done = yield* run("save", (signal) => store.save(content, { ...options, signal }));
      if (done === "conflict") return yield* new StoreConflict({ where: place, operation: "save" });
      return done === "leaseLost" ? yield* new LeaseLost({ where: place }) : source;
    }),
    remove: Effect.fnUntraced(function* (options) {
      const done = yield* run("remove", (signal) => store.remove({ ...options, signal }));
      if (done === "conflict")
        return yield* new StoreConflict({ where: place, operation: "remove" });
      return done === "removed";
    }),
    checkWritable:
      checkWritable === undefined
        ? Effect.asVoid(load)
        : run("check", (signal) => checkWritable({ signal })),
    ...(subscribe !== undefined && {
      changes: Stream.callback<void>((queue) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const unsubscribe = subscribe(() => void Queue.offerUnsafe(queue, undefined));
            Queue.offerUnsafe(queue, undefined);
            return unsubscribe;
          }),
          (unsubscribe) => Effect.sync(unsubscribe),
        ),
      ),
    }),
  };
};

const DEFAULT_PLACE = "the lock of the refresh";

/**
 * Returns a Promise lock as one for Effect. `where` is named in errors.
 *
 * @example
 * ```ts
 * import { fromPromiseLock, type PromiseRefreshLock } from "@agent-auth/login/promises/storage";
 * import type { RefreshLockImplementation } from "@agent-auth/login/storage/custom";
 *
 * export const forEffect = (lock: PromiseRefreshLock): RefreshLockImplementation =>
 *   fromPromiseLock(lock, "redis (cache.example:6379)");
 * ```
 */
export const fromPromiseLock = (
  lock: PromiseRefreshLock,
  where: string = DEFAULT_PLACE,
): RefreshLockImplementation => {
  const run = <A>(ask: (signal: AbortSignal) => Promise<A>) =>
    Effect.catchIf(
      attempt(where, "lock", ask),
      (error) => error._tag !== "StoreUnavailable",
      Effect.die,
    );
  const acquire = Effect.gen(function* () {
    const startedAtMs = performance.now();
    const lease = yield* Effect.acquireRelease(
      run(async (signal) => {
        const lease = await lock.acquire({ signal });
        // The lease was granted after the wait had been given up.
        if (signal.aborted) await lease?.release();
        return lease;
      }),
      (lease) => (lease === null ? Effect.void : Effect.ignore(run(() => lease.release()))),
      { interruptible: true },
    );
    if (lease === null)
      return yield* new LeaseBusy({ where, waitedMs: performance.now() - startedAtMs });
    const { fencingToken } = lease;
    const isHeld = run(async () => (await lease.confirm?.()) ?? true);
    const confirm = Effect.flatMap(isHeld, (isHeld) =>
      isHeld ? Effect.void : Effect.fail(new LeaseLost({ where })),
    );
    return { ...compact({ fencingToken }), confirm };
  });
  return {
    acquire,
    lastOutcome: Effect.map(
      run((signal) => lock.lastOutcome({ signal })),
      Option.fromNullOr,
    ),
    recordOutcome: (text) => run((signal) => lock.recordOutcome(text, { signal })),
  };
};

/** Runs one function of the program. What it throws may quote a password, so only its name and code are repeated. */
const attempt = <A>(
  where: string,
  operation: StoreUnavailable["operation"],
  run: (signal: AbortSignal) => Promise<A>,
): Effect.Effect<A, StoreError> =>
  Effect.tryPromise({
    try: run,
    catch: (thrown) =>
      isStoreError(thrown)
        ? thrown
        : new StoreUnavailable({ where, operation, reason: reasonOf(thrown) }),
  });

const storeErrors = [StoreConflict, LeaseLost, StoreUnavailable, StoreUnreadable, StoreUnwritable];

const isStoreError = (thrown: unknown): thrown is StoreError =>
  storeErrors.some((error) => thrown instanceof error);

const reasonOf = (thrown: unknown): string => {
  if (!(thrown instanceof Error)) return `it threw a value of type ${typeof thrown}`;
  const code = "code" in thrown && typeof thrown.code === "string" ? ` ${thrown.code}` : "";
  return `${thrown.constructor.name}${code}`;
};
