import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { encodeAuthJson, parseAuthJson } from "./auth-json/index.ts";
import { assertVersionOf } from "./expected-version.ts";
import { withContentVersion } from "./fingerprint.ts";
import { makeFileStore } from "./file.ts";
import {
  CredentialStore,
  logStoreWarning,
  type StoreImplementation,
  type StoreSource,
  type StoreWarningOptions,
} from "./credential-store.ts";
import type { CodexHome } from "../config/environment.ts";
import { keyringAccount, keyringService, makeKeyringEntry } from "./keyring-entry.ts";
import { makeCredentialStore } from "./pending-tokens.ts";

export interface KeyringStoreOptions extends StoreWarningOptions {
  readonly codexHome: CodexHome;
}

/**
 * The store in the OS keyring (docs/protocol.md §3): Keychain, Credential Manager, or the Secret Service of a Linux
 * desktop, under the entry that Codex uses. A successful save removes `auth.json`; `remove` removes both. Credential
 * Manager holds 2560 bytes an entry at most, which ChatGPT tokens exceed: saving them there is a
 * `KeyringUnavailable`.
 *
 * @example
 * ```ts
 * import { layer } from "@agent-auth/login/storage/keyring";
 * import { layer as lock } from "@agent-auth/login/storage/lock";
 * import * as Layer from "effect/Layer";
 *
 * const codexHome = { path: "/home/ada/.codex", explicit: false };
 * const storage = Layer.merge(layer({ codexHome }), lock({ codexHome }));
 * ```
 */
export const layer = (options: KeyringStoreOptions): Layer.Layer<CredentialStore> =>
  Layer.sync(CredentialStore, () => makeCredentialStore(makeKeyringStore(options)));

/**
 * The same store as a value, for stores that are made of others.
 *
 * @example
 * ```ts
 * import { makeKeyringStore } from "@agent-auth/login/storage/keyring";
 *
 * const store = makeKeyringStore({ codexHome: { path: "/home/ada/.codex", explicit: false } });
 * console.log(store.describe.mode); // keyring
 * ```
 */
export const makeKeyringStore = (options: KeyringStoreOptions): StoreImplementation => {
  const account = keyringAccount(options.codexHome);
  const entry = makeKeyringEntry(account);
  const file = makeFileStore(options);
  const source: StoreSource = { _tag: "Keyring", service: keyringService, account };
  const warn = options.onWarning ?? logStoreWarning;
  const load: StoreImplementation["load"] = Effect.flatMap(entry.get, (json) =>
    json === null
      ? Effect.succeedNone
      : Effect.map(parseAuthJson(json, "OS keyring"), (document) =>
          Option.some(withContentVersion(document, source, json)),
        ),
  );
  const assertVersion = assertVersionOf(load);
  return {
    describe: { mode: "keyring", places: [source], isPersistent: true },
    load,
    save: Effect.fnUntraced(function* (document, options) {
      yield* assertVersion("save", options);
      yield* entry.set(encodeAuthJson(document, { layout: "compact" }));
      // The credential is stored. A remaining file is not read in this mode, but its owner should know of it.
      yield* Effect.catch(file.remove(), warn);
      return source;
    }),
    remove: Effect.fnUntraced(function* (options) {
      yield* assertVersion("remove", options);
      // The file is removed even if the keyring cannot be reached. The failure is reported after that.
      const fromKeyring = yield* Effect.result(entry.delete);
      const fromFile = yield* file.remove();
      return (yield* Effect.fromResult(fromKeyring)) || fromFile;
    }),
    checkWritable: Effect.asVoid(entry.get),
  };
};
