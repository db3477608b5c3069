import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import { AccountExists } from "../../errors/account.ts";
import { NotSignedIn } from "../../errors/credential.ts";
import { PersistentStoreRequired } from "../../errors/login-input.ts";
import { createAccountFolder } from "./folders.ts";
import type { Removal } from "./remove.ts";
import { save, type SignIns } from "./sign-ins.ts";
import type { KeptAccountsOptions, KeptAccountsShape } from "./types.ts";

/** Keeps the current sign-in, or a new one, under a name that is free. */
export const makeAdding = (
  { config, environment: { codexHome } }: KeptAccountsOptions,
  signIns: SignIns,
  { forget }: Removal,
) => {
  /** Fails if an account is kept under the name, readable or not. */
  const checkFree = Effect.fnUntraced(function* (name: string) {
    if (config.credentialsStore === "ephemeral") return yield* new PersistentStoreRequired();
    const found = yield* Effect.result(signIns.find(name));
    if (Result.isSuccess(found) && Option.isNone(found.success)) return;
    const isSame = Result.isSuccess(found)
      ? yield* Effect.orElseSucceed(
          signIns.isCurrent(Option.getOrThrow(found.success)),
          () => false,
        )
      : false;
    return yield* new AccountExists({ name, isCurrent: isSame, what: "name" });
  });

  const addCurrent = Effect.fnUntraced(function* (name: string) {
    yield* checkFree(name);
    const signIn = Option.getOrUndefined(yield* signIns.loadToCopy(codexHome));
    if (signIn === undefined) return yield* new NotSignedIn();
    const kept = yield* signIns.accountOf(signIn);
    if (kept !== undefined)
      return yield* new AccountExists({ name: kept.name, isCurrent: true, what: "signIn" });
    yield* createAccountFolder(codexHome, name);
    yield* signIns.lockedIn(signIns.homeOf(name))(save(signIn.document));
  });

  const addNew: KeptAccountsShape["addNew"] = (name, signIn) =>
    Effect.gen(function* () {
      yield* checkFree(name);
      yield* createAccountFolder(codexHome, name);
      const isEmpty = Effect.map(signIns.find(name), Option.isNone);
      const cleanUp = Effect.flatMap(isEmpty, (isEmpty) => (isEmpty ? forget(name) : Effect.void));
      return yield* Effect.ensuring(signIn(signIns.homeOf(name)), Effect.ignore(cleanUp));
    });

  return { addCurrent, addNew };
};
