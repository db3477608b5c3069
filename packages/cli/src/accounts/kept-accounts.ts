import type { AuthDocument } from "@agent-auth/login/auth-json";
import { CredentialStore } from "@agent-auth/login/credential-store";
import { layer as configuredStore } from "@agent-auth/login/credential-store-configured";
import { NothingWouldBeKept } from "@agent-auth/login/errors";
import { HomeLock } from "@agent-auth/login/home-lock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { mkdir, readdir, rm } from "node:fs/promises";
import type { Session } from "../session.ts";
import { accountHome, accountsFolder, isAccountName } from "./account-home.ts";
import { signInFacts, type SignInFacts } from "./sign-in-facts.ts";

/** A sign-in that lies aside under a name. */
export interface KeptAccount {
  readonly name: string;
  readonly document: AuthDocument;
  readonly facts: SignInFacts;
}

/** The sign-in that requests use now, as it is stored. */
export interface PresentSignIn {
  readonly document: AuthDocument;
  readonly facts: SignInFacts;
}

const save = (document: AuthDocument) =>
  CredentialStore.use((store) => Effect.asVoid(store.save(document)));

/** Every operation works on whole documents and loses nothing: what is not known to us travels along. */
export const keptAccounts = (session: Session) => {
  const codexHome = session.environment.codexHome.path;
  const mode = session.config.credentialsStore;

  const inHome = (path: string, explicit: boolean) =>
    Effect.provide(configuredStore({ mode, codexHome: { path, explicit } }));
  const inMain = inHome(codexHome, session.environment.codexHome.explicit);
  const inAccount = (name: string) => inHome(accountHome(codexHome, name), false);

  const load = CredentialStore.use((store) => store.load).pipe(
    Effect.map((stored) => Option.getOrUndefined(stored)?.document),
  );

  const names = Effect.promise(async () => {
    const found = await readdir(accountsFolder(codexHome), { withFileTypes: true }).catch(() => []);
    return found
      .filter((entry) => entry.isDirectory() && isAccountName(entry.name))
      .map((entry) => entry.name)
      .toSorted();
  });

  const find = Effect.fnUntraced(function* (name: string) {
    const document = yield* load.pipe(inAccount(name));
    if (document === undefined) return undefined;
    const kept: KeptAccount = { name, document, facts: yield* signInFacts(document) };
    return kept;
  });

  const all = Effect.gen(function* () {
    const found = yield* Effect.forEach(yield* names, find);
    return found.filter((kept) => kept !== undefined);
  });

  const present = Effect.gen(function* () {
    const document = yield* load.pipe(inMain);
    if (document === undefined) return undefined;
    const signedIn: PresentSignIn = { document, facts: yield* signInFacts(document) };
    return signedIn;
  });

  /** The kept account that the present sign-in is one of; `undefined` where it is none. */
  const presentAccount = Effect.gen(function* () {
    const signedIn = yield* present;
    if (signedIn === undefined) return undefined;
    return (yield* all).find((kept) => kept.facts.key === signedIn.facts.key);
  });

  return {
    all,
    find,
    present,
    presentAccount,
    /** Refused where nothing would outlive the process. */
    checkPersistent: mode === "ephemeral" ? Effect.fail(new NothingWouldBeKept()) : Effect.void,
    /** Makes the folder, so that a sign-in can be stored in it. */
    prepare: (name: string) =>
      Effect.promise(() => mkdir(accountHome(codexHome, name), { recursive: true, mode: 0o700 })),
    keep: (name: string, document: AuthDocument) => save(document).pipe(inAccount(name)),
    makePresent: (document: AuthDocument) => save(document).pipe(inMain),
    /** Removes what is kept, in every place of the store, and its folder. Revokes nothing. */
    forget: (name: string) =>
      CredentialStore.use((store) => store.remove).pipe(
        inAccount(name),
        Effect.andThen(
          Effect.promise(() => rm(accountHome(codexHome, name), { recursive: true, force: true })),
        ),
      ),
    /** Runs alone: no refresh, sign-in or switch of any process comes in between. */
    alone: <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      HomeLock.use((lock) => lock.withLock(effect)).pipe(inMain),
  };
};
