import assert from "node:assert/strict";
import { inspect } from "node:util";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import * as Stream from "effect/Stream";
import type { StoreError } from "../errors/store.ts";
import { fromPromiseStore, type PromiseStore } from "../promises/storage.ts";
import { type AuthDocument, encodeAuthJson, parseAuthJson } from "../storage/auth-json/index.ts";
import type { SaveOptions, StoreImplementation } from "../storage/credential-store.ts";
import { HomeLock, type HomeLockHeld } from "../storage/lock/index.ts";
import { casesOf, type ContractCase, type Open, TELL_WITHIN_MS, type Test } from "./contract.ts";

type AnyStore = PromiseStore | StoreImplementation;

/** Two stores over one place, as two programs would open them. */
export interface OpenedStores {
  readonly first: AnyStore;
  readonly second: AnyStore;
}

export interface StoreContractOptions {
  readonly open: Open<OpenedStores>;
  /**
   * Whether `save` compares and writes in one step, so that exactly one of several concurrent programs succeeds.
   * Default true. False for stores whose programs share a lock, as those of this package.
   */
  readonly isAtomic?: boolean;
}

/**
 * Returns the test cases that every store must pass. Pass each to your test runner: `it(name, run)`. Each case opens the
 * store twice, over new and empty storage.
 *
 * @example
 * ```ts
 * import type { PromiseStore } from "@agent-auth/login/promises";
 * import { storeContract } from "@agent-auth/login/testing";
 *
 * const open = async () => {
 *   let stored: { content: string; version: string } | null = null;
 *   let writes = 0;
 *   const isExpected = (expected: string | null | undefined) =>
 *     expected === undefined || (stored?.version ?? null) === expected;
 *   const store: PromiseStore = {
 *     name: "memory",
 *     where: "this process",
 *     load: async () => stored,
 *     save: async (content, { expected }) => {
 *       if (!isExpected(expected)) return "conflict";
 *       stored = { content, version: String(++writes) };
 *       return "saved";
 *     },
 *     remove: async ({ expected }) => {
 *       if (!isExpected(expected)) return "conflict";
 *       const found = stored;
 *       stored = null;
 *       return found === null ? "absent" : "removed";
 *     },
 *   };
 *   return { first: store, second: store };
 * };
 *
 * for (const { run } of storeContract({ open })) await run(); // in a test file: it(name, run)
 * ```
 */
export const storeContract = ({
  isAtomic = true,
  open,
}: StoreContractOptions): ReadonlyArray<ContractCase> =>
  casesOf(
    open,
    ({ first, second }): Stores => ({ first: asStore(first), second: asStore(second) }),
    { ...contents, ...versions, ...(isAtomic ? atomic : {}), ...others },
  );

interface Stores {
  readonly first: StoreImplementation;
  readonly second: StoreImplementation;
}

const asStore = (store: AnyStore): StoreImplementation =>
  "describe" in store ? store : fromPromiseStore(store);

const apiKey = (key: string): AuthDocument => ({
  authMode: "apikey",
  openaiApiKey: Redacted.make(key),
});

/** A document with everything, unknown members, large numbers and other scripts included. */
const everything = (secret: string): string =>
  `{"a":1.0,"auth_mode":"chatgpt","OPENAI_API_KEY":null,"tokens":{"id_token":"a.b.c","access_token":"${secret.repeat(300)}","refresh_token":"${secret}","later":[1e400],"account_id":"acc"},"last_refresh":"2026-04-13T12:00:00.123456Z","agent_identity":{"workspace_id":"w","agent_runtime_id":"r","agent_private_key":"${secret}"},"personal_access_token":"at-ü","z":{"__proto__":null}}`;

/** Each change runs under its own lock: a shared store must not depend on the lock of one process. */
const locked = <A, E>(change: Effect.Effect<A, E, HomeLockHeld>) =>
  Effect.provide(
    HomeLock.use((lock) => lock.withLock(change)),
    Layer.fresh(HomeLock.layerMemory),
  );

const save = (store: StoreImplementation, key: string, options?: SaveOptions) =>
  locked(store.save(apiKey(key), options));

const remove = (store: StoreImplementation, options?: { readonly expected?: string }) =>
  locked(store.remove(options));

const textOf = (store: StoreImplementation) =>
  Effect.map(store.load, (found) =>
    Option.match(found, {
      onNone: () => null,
      onSome: ({ document }) => encodeAuthJson(document, { layout: "compact" }),
    }),
  );

const compactText = (key: string) => encodeAuthJson(apiKey(key), { layout: "compact" });

const versionOf = (store: StoreImplementation) =>
  Effect.map(store.load, (found) => Option.getOrUndefined(found)?.version ?? null);

const expectConflict = (change: Effect.Effect<unknown, StoreError>) =>
  Effect.map(Effect.flip(change), (error) => assert.equal(error._tag, "StoreConflict"));

const contents: Readonly<Record<string, Test<Stores>>> = {
  "has nothing at first, and says so without an error": ({ first, second }) =>
    Effect.gen(function* () {
      assert.equal(yield* textOf(first), null);
      assert.equal(yield* remove(second), false);
    }),

  "gives another program all that was saved, unknown members included": ({ first, second }) =>
    Effect.gen(function* () {
      const text = everything("secret-");
      const source = yield* locked(first.save(yield* parseAuthJson(text)));
      assert.equal(yield* textOf(second), text);
      assert.deepEqual(Option.getOrThrow(yield* second.load).source, source);
    }),

  "replaces the whole document": ({ first, second }) =>
    Effect.gen(function* () {
      yield* locked(first.save(yield* parseAuthJson(everything("secret-"))));
      yield* save(second, "sk-2");
      assert.equal(yield* textOf(first), compactText("sk-2"));
    }),

  "removes the document once": ({ first, second }) =>
    Effect.gen(function* () {
      yield* save(first, "sk-1");
      assert.equal(yield* remove(second), true);
      assert.equal(yield* textOf(first), null);
      assert.equal(yield* remove(first), false);
    }),

  "holds one complete document after many concurrent saves": ({ first, second }) =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 12 }, (_, index) => `sk-${index}`);
      yield* Effect.forEach(keys, (key, index) => save(index % 2 === 0 ? first : second, key), {
        concurrency: "unbounded",
      });
      assert.ok(keys.map(compactText).includes(String(yield* textOf(first))));
    }),
};

const versions: Readonly<Record<string, Test<Stores>>> = {
  "gives every program the same version, and another one after each change": ({ first, second }) =>
    Effect.gen(function* () {
      yield* save(first, "sk-1");
      const before = yield* versionOf(first);
      assert.equal(yield* versionOf(second), before);
      yield* save(second, "sk-2");
      assert.notEqual(yield* versionOf(first), before);
    }),

  "saves over the version that was read": ({ first, second }) =>
    Effect.gen(function* () {
      yield* save(first, "sk-1");
      yield* save(second, "sk-2", { expected: yield* versionOf(second) });
      assert.equal(yield* textOf(first), compactText("sk-2"));
    }),

  "refuses to save over a version that another program has replaced": ({ first, second }) =>
    Effect.gen(function* () {
      yield* save(first, "sk-1");
      const read = yield* versionOf(first);
      yield* save(second, "sk-2");
      yield* expectConflict(save(first, "sk-3", { expected: read }));
      assert.equal(yield* textOf(first), compactText("sk-2"));
    }),

  "refuses to save over a version that another program has removed": ({ first, second }) =>
    Effect.gen(function* () {
      yield* save(first, "sk-1");
      const read = yield* versionOf(first);
      yield* remove(second);
      yield* expectConflict(save(first, "sk-2", { expected: read }));
      assert.equal(yield* textOf(first), null);
    }),

  "saves where nothing is expected only if nothing is stored": ({ first, second }) =>
    Effect.gen(function* () {
      yield* save(first, "sk-1", { expected: null });
      yield* expectConflict(save(second, "sk-2", { expected: null }));
      assert.equal(yield* textOf(second), compactText("sk-1"));
    }),

  "removes only the version that is expected": ({ first, second }) =>
    Effect.gen(function* () {
      yield* save(first, "sk-1");
      const read = yield* versionOf(first);
      yield* save(second, "sk-2");
      yield* expectConflict(remove(first, { expected: String(read) }));
      assert.equal(yield* textOf(second), compactText("sk-2"));
      assert.equal(yield* remove(first, { expected: String(yield* versionOf(first)) }), true);
    }),
};

const atomic: Readonly<Record<string, Test<Stores>>> = {
  "lets one of many programs save over the same version": ({ first, second }) =>
    Effect.gen(function* () {
      yield* save(first, "sk-0");
      const expected = yield* versionOf(first);
      const keys = Array.from({ length: 10 }, (_, index) => `sk-new-${index}`);
      const results = yield* Effect.forEach(
        keys,
        (key, index) => Effect.result(save(index % 2 === 0 ? first : second, key, { expected })),
        { concurrency: "unbounded" },
      );
      const saved = keys.filter((_, index) => results[index]?._tag === "Success");
      assert.equal(saved.length, 1);
      assert.equal(yield* textOf(second), compactText(String(saved[0])));
      for (const result of results)
        if (Result.isFailure(result)) assert.equal(result.failure._tag, "StoreConflict");
    }),
};

const others: Readonly<Record<string, Test<Stores>>> = {
  "can be asked whether a save would work, which changes nothing": ({ first, second }) =>
    Effect.gen(function* () {
      yield* first.checkWritable;
      assert.equal(yield* textOf(second), null);
      yield* save(first, "sk-1");
      yield* second.checkWritable;
      assert.equal(yield* textOf(first), compactText("sk-1"));
    }),

  "notifies another program of a change within a second, if it has changes": ({ first, second }) =>
    Effect.gen(function* () {
      const { changes } = second;
      if (changes === undefined) return;
      yield* save(first, "sk-0");
      const told = yield* Deferred.make<void>();
      // The first element only says that the stream listens.
      const news = Stream.drop(changes, 1);
      yield* Effect.forkScoped(Stream.runForEach(news, () => Deferred.succeed(told, undefined)));
      // Until it listens, it misses changes.
      const change = Effect.andThen(save(first, "sk-1"), Effect.sleep(TELL_WITHIN_MS / 5));
      yield* Effect.raceFirst(Deferred.await(told), Effect.repeat(change, { times: 24 }));
      assert.ok(yield* Deferred.isDone(told), "no change was reported within 5 seconds");
    }),

  "shows no secret when it is printed": ({ first, second }) =>
    Effect.gen(function* () {
      const secret = "canary-41c2";
      yield* locked(first.save(yield* parseAuthJson(everything(secret))));
      const found = yield* second.load;
      const shown = [first, second, found].flatMap((it) => [
        inspect(it, { depth: 12, showHidden: true }),
        JSON.stringify(it),
      ]);
      assert.ok(!shown.join("\n").includes(secret), "a secret was printed");
    }),

  "describes where it is": ({ first }) =>
    Effect.sync(() => {
      assert.ok(first.describe.places.length > 0);
    }),
};
