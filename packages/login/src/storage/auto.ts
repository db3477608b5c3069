import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { makeFileStore } from "./file.ts";
import { type KeyringStoreOptions, makeKeyringStore } from "./keyring.ts";
import { CredentialStore, logStoreWarning } from "./index.ts";
import { HomeLock } from "./lock/index.ts";
import { keyringAccount, makeKeyringEntry } from "./keyring-entry.ts";

export type AutoStoreOptions = KeyringStoreOptions;

/**
 * The keyring, and the file where the keyring has nothing or cannot be reached; the latter with a warning each time.
 * An entry of the keyring that is there and broken is an error: the file may be older. What is saved to the file takes
 * the keyring's entry away, where that can be done.
 */
export const layer = (options: AutoStoreOptions): Layer.Layer<CredentialStore, never, HomeLock> =>
  Layer.effect(
    CredentialStore,
    Effect.map(HomeLock, (lock) => makeAutoStore(options, lock)),
  );

/**
 * A keyring may hold an older sign-in and have no room for the newer one (Credential Manager's limit), and what it holds
 * is found first. One that does not answer at all is not waited for a second time.
 */
const MAX_TIDYING_MS = 2_000;

const makeAutoStore = (
  options: AutoStoreOptions,
  lock: HomeLock["Service"],
): CredentialStore["Service"] => {
  const keyring = makeKeyringStore(options, lock);
  const file = makeFileStore(options, lock);
  const entry = makeKeyringEntry(keyringAccount(options.codexHome));
  const warn = options.onWarning ?? logStoreWarning;
  return {
    describe: {
      mode: "auto",
      places: [...keyring.describe.places, ...file.describe.places],
      isPersistent: true,
    },
    load: keyring.load.pipe(
      Effect.catchTag("KeyringUnavailable", (error) => Effect.as(warn(error), Option.none())),
      Effect.flatMap((found) => (Option.isSome(found) ? Effect.succeed(found) : file.load)),
    ),
    save: (document) =>
      lock.withLock(
        Effect.catchTag(keyring.save(document), "KeyringUnavailable", (error) =>
          warn(error).pipe(
            Effect.andThen(file.save(document)),
            Effect.tap(Effect.ignore(Effect.timeoutOption(entry.delete, MAX_TIDYING_MS))),
          ),
        ),
      ),
    remove: lock.withLock(
      Effect.gen(function* () {
        const fromKeyring = yield* Effect.catch(entry.delete, (error) =>
          Effect.as(warn(error), false),
        );
        return (yield* file.remove) || fromKeyring;
      }),
    ),
    checkWritable: Effect.catchTag(
      keyring.checkWritable,
      "KeyringUnavailable",
      () => file.checkWritable,
    ),
  };
};
