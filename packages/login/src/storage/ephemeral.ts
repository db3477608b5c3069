import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import {
  CredentialStore,
  type StoredDocument,
  type StoreImplementation,
  type StoreSource,
} from "./credential-store.ts";
import { assertVersionOf } from "./expected-version.ts";
import { makeCredentialStore } from "./pending-tokens.ts";

const source: StoreSource = { _tag: "Ephemeral" };

const makeEphemeralStore = (): CredentialStore["Service"] => {
  let stored = Option.none<StoredDocument>();
  let saves = 0;
  const assertVersion = assertVersionOf(Effect.sync(() => stored));
  const implementation: StoreImplementation = {
    describe: { mode: "ephemeral", places: [source], isPersistent: false },
    load: Effect.sync(() => stored),
    save: (document, options) =>
      Effect.map(assertVersion("save", options), () => {
        stored = Option.some({ document, source, version: String(++saves) });
        return source;
      }),
    remove: (options) =>
      Effect.map(assertVersion("remove", options), () => {
        const wasStored = Option.isSome(stored);
        stored = Option.none();
        return wasStored;
      }),
    checkWritable: Effect.void,
  };
  return makeCredentialStore(implementation);
};

/**
 * The configured store in memory. Each time the layer is built, the store is new and empty. It does not use the disk.
 * Two managers that are given the same built layer share the sign-in.
 */
export const layer: Layer.Layer<CredentialStore> = Layer.sync(CredentialStore, makeEphemeralStore);

/**
 * The in-memory store in addition to the configured one, for external ChatGPT tokens. A manager has its own unless it
 * is given this service; give it to several managers to share the tokens.
 *
 * @example
 * ```ts
 * import { EphemeralStore, ephemeralStore } from "@agent-auth/login/storage/ephemeral";
 * import * as Effect from "effect/Effect";
 *
 * const load = EphemeralStore.use((store) => store.load);
 * await Effect.runPromise(Effect.provide(load, ephemeralStore));
 * ```
 */
export class EphemeralStore extends Context.Service<EphemeralStore, CredentialStore["Service"]>()(
  "@agent-auth/login/storage/EphemeralStore",
) {}

/** Provides an empty `EphemeralStore`, a new one each time the layer is built. */
export const ephemeralStore: Layer.Layer<EphemeralStore> = Layer.sync(
  EphemeralStore,
  makeEphemeralStore,
);
