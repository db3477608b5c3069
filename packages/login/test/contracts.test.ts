import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { describe, expect, it } from "vitest";
import type { RefreshLockImplementation } from "../src/storage/custom.ts";
import { makeFileStore } from "../src/storage/file.ts";
import { layer as ephemeralStore } from "../src/storage/ephemeral.ts";
import { CredentialStore } from "../src/storage/index.ts";
import { layer as refreshLock, RefreshLock } from "../src/storage/lock/refresh-lock.ts";
import { parseRefreshOutcome } from "../src/storage/lock/refresh-outcome.ts";
import { type ContractCase, lockContract, storeContract } from "../src/testing/index.ts";
import { temporaryHome } from "./support/home.ts";
import { openMemoryStorage } from "./support/memory-storage.ts";

/** The cases under the name of what is tested. */
const contract = (of: string, cases: ReadonlyArray<ContractCase>): void => {
  const named = cases.map(({ name, run }) => ({ name: `${of}: ${name}`, run }));
  it.each(named)("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
};

/** A built-in lock as if a program had brought it, for the contract. */
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
  contract(
    "file",
    storeContract({
      isAtomic: false,
      open: Effect.sync(() => {
        const codexHome = temporaryHome();
        return { first: makeFileStore({ codexHome }), second: makeFileStore({ codexHome }) };
      }),
    }),
  );

  contract(
    "memory of one program",
    storeContract({
      open: Effect.map(build(CredentialStore, ephemeralStore), (store) => ({
        first: store,
        second: store,
      })),
    }),
  );

  contract(
    "a store with promises that two programs share",
    storeContract({
      open: async () => {
        const shared = openMemoryStorage();
        return { first: shared.open().store, second: shared.open().store };
      },
    }),
  );
});

describe("the contract of locks", () => {
  contract(
    "file",
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
  );

  contract(
    "memory of one program",
    lockContract({
      open: Effect.map(build(RefreshLock, RefreshLock.layerMemory), (lock) => ({
        first: asImplementation(lock),
        second: asImplementation(lock),
      })),
    }),
  );

  contract(
    "a lock with promises that two programs share",
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
  );
});
