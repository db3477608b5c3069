import assert from "node:assert/strict";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Stream from "effect/Stream";
import { fromPromiseLock, fromPromiseStore } from "../promises/storage.ts";
import type { PromiseRefreshLock, PromiseStore } from "../promises/storage.ts";
import type { StoreImplementation } from "../storage/credential-store.ts";
import type { RefreshLease, RefreshLockImplementation } from "../storage/custom.ts";
import { HomeLock } from "../storage/lock/index.ts";
import { parseRefreshOutcome, type RefreshOutcome } from "../storage/lock/refresh-outcome.ts";
import { casesOf, type ContractCase, type Open, TELL_WITHIN_MS, type Test } from "./contract.ts";

/** Two locks over one place, as two programs would open them. */
export interface OpenedLocks {
  readonly first: PromiseRefreshLock | RefreshLockImplementation;
  readonly second: PromiseRefreshLock | RefreshLockImplementation;
  /** The store that refuses the writes of lost leases. Without it, that is not tested. */
  readonly store?: PromiseStore | StoreImplementation;
  /**
   * Lets the lease that `first` holds expire, as if its program had been stopped for too long. Without it, that is not
   * tested.
   */
  readonly expireLease?: () => Promise<void>;
}

export interface LockContractOptions {
  readonly open: Open<OpenedLocks>;
}

/**
 * Returns the test cases that every refresh lock must pass. Pass each to your test runner: `it(name, run)`. Each case opens
 * the lock twice, over new and empty storage.
 *
 * @example
 * ```ts
 * import type { PromiseRefreshLock } from "@agent-auth/login/promises";
 * import { lockContract } from "@agent-auth/login/testing";
 *
 * const open = async () => {
 *   let [turn, leases] = [Promise.resolve(), 0];
 *   let last: string | null = null;
 *   const lock: PromiseRefreshLock = {
 *     acquire: ({ signal }) => {
 *       const { promise: isReleased, resolve } = Promise.withResolvers<void>();
 *       const before = turn;
 *       turn = before.then(() => isReleased);
 *       signal.addEventListener("abort", () => resolve());
 *       const release = async () => resolve();
 *       return before.then(() => ({ fencingToken: ++leases, release }));
 *     },
 *     lastOutcome: async () => last,
 *     recordOutcome: async (text) => void (last = text),
 *   };
 *   return { first: lock, second: lock };
 * };
 *
 * for (const { run } of lockContract({ open })) await run(); // in a test file: it(name, run)
 * ```
 */
export const lockContract = ({ open }: LockContractOptions): ReadonlyArray<ContractCase> =>
  casesOf(
    open,
    ({ expireLease, first, second, store }): Locks => ({
      first: asLock(first),
      second: asLock(second),
      ...(store !== undefined && { store: "describe" in store ? store : fromPromiseStore(store) }),
      ...(expireLease !== undefined && { expireLease: Effect.promise(expireLease) }),
    }),
    { ...leases, ...fencing, ...outcomes },
  );

interface Locks {
  readonly first: RefreshLockImplementation;
  readonly second: RefreshLockImplementation;
  readonly store?: StoreImplementation;
  readonly expireLease?: Effect.Effect<void>;
}

const asLock = (lock: OpenedLocks["first"]): RefreshLockImplementation =>
  isForEffect(lock) ? lock : fromPromiseLock(lock);

const isForEffect = (lock: OpenedLocks["first"]): lock is RefreshLockImplementation =>
  Effect.isEffect(lock.acquire);

/** Holds the lease until the deferred is done. Resolves when it is held. */
const hold = Effect.fnUntraced(function* (lock: RefreshLockImplementation) {
  const isHeld = yield* Deferred.make<RefreshLease>();
  const end = yield* Deferred.make<void>();
  const holder = yield* Effect.forkScoped(
    Effect.scoped(
      Effect.gen(function* () {
        yield* Deferred.succeed(isHeld, yield* lock.acquire);
        yield* Deferred.await(end);
      }),
    ),
  );
  const lease = yield* Effect.raceFirst(
    Deferred.await(isHeld),
    Effect.andThen(Fiber.join(holder), Effect.never),
  );
  const release = Effect.andThen(Deferred.succeed(end, undefined), Fiber.join(holder));
  return { lease, release };
});

/** Whether the lease can be taken within a tenth of a second. It is released at once. */
const isFree = (lock: RefreshLockImplementation) =>
  Effect.scoped(lock.acquire).pipe(Effect.timeoutOption(100), Effect.map(Option.isSome));

const leases: Readonly<Record<string, Test<Locks>>> = {
  "gives the lease to one task of all programs at a time": ({ first, second }) =>
    Effect.gen(function* () {
      let [inside, most, turns] = [0, 0, 0];
      const turn = (lock: RefreshLockImplementation) =>
        Effect.scoped(
          Effect.gen(function* () {
            yield* lock.acquire;
            most = Math.max(most, ++inside);
            yield* Effect.sleep(1);
            inside--;
            turns++;
          }),
        );
      const all = Array.from({ length: 5 }, () => [turn(first), turn(second)]).flat();
      yield* Effect.all(all, { concurrency: "unbounded" });
      assert.deepEqual({ most, turns }, { most: 1, turns: 10 });
    }),

  "waits for another program, and gets the lease when that releases it": ({ first, second }) =>
    Effect.gen(function* () {
      const { release } = yield* hold(first);
      const waiting = yield* Effect.forkScoped(hold(second));
      yield* Effect.sleep(50);
      assert.equal(waiting.pollUnsafe(), undefined);
      yield* release;
      const held = yield* Fiber.join(waiting);
      yield* held.release;
    }),

  "releases the lease when the scope closes, whether its effect succeeds, fails or is interrupted":
    ({ first, second }) =>
      Effect.gen(function* () {
        const ends: ReadonlyArray<Effect.Effect<unknown, string>> = [
          Effect.succeed(1),
          Effect.fail("no"),
          Effect.interrupt,
        ];
        for (const end of ends)
          yield* Effect.exit(Effect.scoped(Effect.andThen(first.acquire, end)));
        yield* Effect.scoped(second.acquire);
      }),

  "ends a wait that is interrupted, and leaves nothing behind": ({ first, second }) =>
    Effect.gen(function* () {
      const { release } = yield* hold(first);
      assert.equal(yield* isFree(second), false);
      yield* release;
      yield* Effect.scoped(first.acquire);
    }),

  "confirms a lease that is held": ({ first }) =>
    Effect.scoped(Effect.flatMap(first.acquire, ({ confirm }) => confirm)),
};

/** What the store is given by the holder of a lease. */
const save = (store: StoreImplementation, fencingToken: number | undefined) => {
  const document = { openaiApiKey: Redacted.make("sk-fenced") };
  const options = fencingToken === undefined ? {} : { fencingToken };
  const change = HomeLock.use((lock) => lock.withLock(store.save(document, options)));
  return Effect.provide(change, Layer.fresh(HomeLock.layerMemory));
};

const fencing: Readonly<Record<string, Test<Locks>>> = {
  "gives each lease a larger fencing token, if it gives any": ({ first, second }) =>
    Effect.gen(function* () {
      const tokens: Array<number> = [];
      for (const lock of [first, second, first]) {
        const { fencingToken } = yield* Effect.scoped(lock.acquire);
        if (fencingToken === undefined) return;
        assert.ok(Number.isSafeInteger(fencingToken), "it is not a safe integer");
        tokens.push(fencingToken);
      }
      assert.deepEqual(
        tokens,
        [...new Set(tokens)].toSorted((a, b) => a - b),
      );
    }),

  "makes the store refuse a write under an older lease than the newest": (locks) =>
    Effect.gen(function* () {
      const { first, second, store } = locks;
      if (store === undefined) return;
      const old = yield* Effect.scoped(first.acquire);
      yield* save(store, old.fencingToken);
      const { lease, release } = yield* hold(second);
      const refused = yield* Effect.flip(save(store, old.fencingToken));
      assert.equal(refused._tag, "LeaseLost");
      yield* save(store, lease.fencingToken);
      yield* release;
    }),

  "gives an expired lease to another program, and reports the loss to its holder": (locks) =>
    Effect.gen(function* () {
      const { expireLease, first, second, store } = locks;
      if (expireLease === undefined) return;
      const stopped = yield* hold(first);
      yield* expireLease;
      const { release } = yield* hold(second);
      const lost = yield* Effect.flip(stopped.lease.confirm);
      assert.equal(lost._tag, "LeaseLost");
      if (store !== undefined) {
        const refused = yield* Effect.flip(save(store, stopped.lease.fencingToken));
        assert.equal(refused._tag, "LeaseLost");
      }
      yield* stopped.release;
      assert.equal(yield* isFree(first), false);
      yield* release;
    }),
};

const outcome = (id: string): RefreshOutcome => ({
  id,
  refreshToken: "a".repeat(64),
  endedAtMs: 1_700_000_000_000,
  result: { _tag: "Failed", reason: "503", attempts: 3, failures: 1, retryAtMs: 1_700_000_010_000 },
});

const record = (lock: RefreshLockImplementation, id: string) =>
  Effect.scoped(Effect.andThen(lock.acquire, lock.recordOutcome(JSON.stringify(outcome(id)))));

const last = (lock: RefreshLockImplementation) =>
  Effect.map(lock.lastOutcome, (text) => {
    const found = Option.getOrUndefined(text);
    return found === undefined ? undefined : parseRefreshOutcome(found);
  });

const outcomes: Readonly<Record<string, Test<Locks>>> = {
  "has no outcome at first": ({ first }) =>
    Effect.map(last(first), (found) => assert.equal(found, undefined)),

  "gives every program the outcome that was recorded last": ({ first, second }) =>
    Effect.gen(function* () {
      yield* record(first, "one");
      assert.deepEqual(yield* last(second), outcome("one"));
      yield* record(second, "two");
      assert.deepEqual(yield* last(first), outcome("two"));
      assert.deepEqual(yield* last(second), outcome("two"));
    }),

  "notifies another program of an outcome within a second, if it has outcomes": (locks) =>
    Effect.gen(function* () {
      const { first, second } = locks;
      if (second.outcomes === undefined) return;
      const told = yield* Deferred.make<void>();
      yield* Effect.forkScoped(
        Stream.runForEach(second.outcomes, () => Deferred.succeed(told, undefined)),
      );
      // Until it listens, it misses outcomes.
      const again = Effect.andThen(record(first, "one"), Effect.sleep(TELL_WITHIN_MS / 5));
      yield* Effect.raceFirst(Deferred.await(told), Effect.repeat(again, { times: 24 }));
      assert.ok(yield* Deferred.isDone(told), "no outcome was reported within 5 seconds");
    }),
};
