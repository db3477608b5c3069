import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { describe, it } from "vitest";
import type { RefreshLockImplementation } from "../src/storage/custom.ts";
import { makeFileStore } from "../src/storage/file.ts";
import { layer as ephemeralStore } from "../src/storage/ephemeral.ts";
import { CredentialStore, type StoreImplementation } from "../src/storage/index.ts";
import { layer as refreshLock, RefreshLock } from "../src/storage/lock/refresh-lock.ts";
import { parseRefreshOutcome } from "../src/storage/lock/refresh-outcome.ts";
import { type ContractCase, lockContract, storeContract } from "../src/testing/index.ts";
import { temporaryHome } from "./support/home.ts";
import { openMemoryStorage } from "./support/memory-storage.ts";

const each = (cases: ReadonlyArray<ContractCase>): void => {
  for (const { name, run } of cases) it(name, run);
};

/** A built-in lock as one of your own, for the contract. */
const asImplementation = (lock: RefreshLock["Service"]): RefreshLockImplementation => ({
  acquire: lock.acquire,
  lastOutcome: Effect.map(
    lock.lastOutcome,
    Option.map((outcome) => JSON.stringify(outcome)),
  ),
  recordOutcome: (text) => {
    const outcome = parseRefreshOutcome(text);
    return outcome === undefined ? Effect.void : lock.recordOutcome(outcome);
  },
});

const build = <I, S>(tag: Context.Key<I, S>, layer: Layer.Layer<I>) =>
  Effect.map(Layer.build(layer), Context.get(tag));

describe("the contract of stores", () => {
  describe("file", () =>
    each(
      storeContract({
        isAtomic: false,
        open: Effect.sync(() => {
          const codexHome = temporaryHome();
          return { first: makeFileStore({ codexHome }), second: makeFileStore({ codexHome }) };
        }),
      }),
    ));

  describe("memory of one program", () =>
    each(
      storeContract({
        open: Effect.map(build(CredentialStore, ephemeralStore), (store) => ({
          first: store satisfies StoreImplementation,
          second: store,
        })),
      }),
    ));

  describe("a store with promises that two programs share", () =>
    each(
      storeContract({
        open: async () => {
          const shared = openMemoryStorage();
          return { first: shared.open().store, second: shared.open().store };
        },
      }),
    ));
});

describe("the contract of locks", () => {
  describe("file", () =>
    each(
      lockContract({
        open: Effect.gen(function* () {
          const codexHome = temporaryHome();
          const open = Effect.map(
            build(RefreshLock, Layer.fresh(refreshLock({ codexHome }))),
            asImplementation,
          );
          return { first: yield* open, second: yield* open };
        }),
      }),
    ));

  describe("memory of one program", () =>
    each(
      lockContract({
        open: Effect.map(build(RefreshLock, RefreshLock.layerMemory), (lock) => ({
          first: asImplementation(lock),
          second: asImplementation(lock),
        })),
      }),
    ));

  describe("a lock with promises that two programs share", () =>
    each(
      lockContract({
        open: async () => {
          const shared = openMemoryStorage();
          const [one, two] = [shared.open(), shared.open()];
          return {
            first: one.lock,
            second: two.lock,
            store: two.store,
            expireLease: async () => shared.expireLease(),
          };
        },
      }),
    ));
});
