import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { assertVersionOf } from "./expected-version.ts";
import { makeFileStore } from "./file.ts";
import { type KeyringStoreOptions, makeKeyringStore } from "./keyring.ts";
import { CredentialStore, logStoreWarning, type StoreImplementation } from "./credential-store.ts";
import { keyringAccount, makeKeyringEntry } from "./keyring-entry.ts";
import { makeCredentialStore } from "./pending-tokens.ts";

export type AutoStoreOptions = KeyringStoreOptions;

/**
 * The keyring, or the file if the keyring has no entry or cannot be reached. If it cannot be reached, each load, save and
 * removal calls `onWarning`. A keyring entry that exists but is broken is an error, because the file may be older. A save
 * to the file removes the keyring's entry, if possible.
 *
 * @example
 * ```ts
 * import { layer } from "@agent-auth/login/storage/auto";
 * import { layer as lock } from "@agent-auth/login/storage/lock";
 * import * as Layer from "effect/Layer";
 *
 * const codexHome = { path: "/home/ada/.codex", explicit: false };
 * const storage = Layer.merge(layer({ codexHome }), lock({ codexHome }));
 * ```
 */
export const layer = (options: AutoStoreOptions): Layer.Layer<CredentialStore> =>
  Layer.sync(CredentialStore, () => makeCredentialStore(makeAutoStore(options)));

/**
 * Limits the removal of an older keyring entry, which would be found first. A keyring may be too small for the newer
 * sign-in (Credential Manager); one that does not respond at all is not waited for again.
 */
const MAX_TIDYING_MS = 2_000;

const makeAutoStore = (options: AutoStoreOptions): StoreImplementation => {
  const keyring = makeKeyringStore(options);
  const file = makeFileStore(options);
  const entry = makeKeyringEntry(keyringAccount(options.codexHome));
  const warn = options.onWarning ?? logStoreWarning;
  const load: StoreImplementation["load"] = keyring.load.pipe(
    Effect.catchTag("KeyringUnavailable", (error) => Effect.as(warn(error), Option.none())),
    Effect.flatMap((found) => (Option.isSome(found) ? Effect.succeed(found) : file.load)),
  );
  const assertVersion = assertVersionOf(load);
  return {
    describe: {
      mode: "auto",
      places: [...keyring.describe.places, ...file.describe.places],
      isPersistent: true,
    },
    load,
    save: Effect.fnUntraced(function* (document, options) {
      yield* assertVersion("save", options);
      return yield* Effect.catchTag(keyring.save(document), "KeyringUnavailable", (error) =>
        warn(error).pipe(
          Effect.andThen(file.save(document)),
          Effect.tap(Effect.ignore(Effect.timeoutOption(entry.delete, MAX_TIDYING_MS))),
        ),
      );
    }),
    remove: Effect.fnUntraced(function* (options) {
      yield* assertVersion("remove", options);
      const fromKeyring = yield* Effect.catch(entry.delete, (error) =>
        Effect.as(warn(error), false),
      );
      return (yield* file.remove()) || fromKeyring;
    }),
    checkWritable: Effect.catchTag(
      keyring.checkWritable,
      "KeyringUnavailable",
      () => file.checkWritable,
    ),
  };
};
