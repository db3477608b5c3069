import type { AuthDocument } from "@agent-auth/login/storage/auth-json";
import { CredentialStore } from "@agent-auth/login/storage";
import { layer as configuredStore } from "@agent-auth/login/storage/configured";
import { CodexHomeUnusable, PersistentStoreRequired } from "@agent-auth/login/errors";
import { HomeLock } from "@agent-auth/login/storage/lock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import type { Reportable } from "../errors/report.ts";
import type { Session } from "../session.ts";
import { accountHome } from "./account-home.ts";
import {
  accountNames,
  isElsewhere,
  makeAccountHome,
  removeAccountHome,
} from "./account-folders.ts";
import { cannotTell } from "./account-trouble.ts";
import { signInFacts, type SignInFacts } from "./sign-in-facts.ts";

/** A sign-in that lies aside under a name. */
export interface KeptAccount {
  readonly name: string;
  readonly document: AuthDocument;
  readonly facts: SignInFacts;
}

/** One that is there and cannot be read: nobody can tell whose sign-in it is. */
export interface BrokenAccount {
  readonly name: string;
  readonly error: Reportable;
}

/** The sign-in that requests use now, as it is stored. */
export interface PresentSignIn {
  readonly document: AuthDocument;
  readonly facts: SignInFacts;
}

const save = (document: AuthDocument) =>
  CredentialStore.use((store) => Effect.asVoid(store.save(document)));

const locked = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  HomeLock.use((lock) => lock.withLock(effect));

/** Every operation works on whole documents and loses nothing: what is not known to us travels along. */
export const keptAccounts = (session: Session) => {
  const { notFound, path: codexHome } = session.environment.codexHome;
  const requireHome =
    notFound === undefined ? Effect.void : Effect.fail(new CodexHomeUnusable({ reason: notFound }));
  const mode = session.config.credentialsStore;

  const inMain = Effect.provide(
    configuredStore({ mode, codexHome: session.environment.codexHome }),
  );
  const inAccount = (name: string) =>
    Effect.provide(
      configuredStore({
        mode,
        codexHome: {
          ...session.environment.codexHome,
          path: accountHome(codexHome, name),
          explicit: false,
        },
      }),
    );

  const load = CredentialStore.use((store) => store.load).pipe(
    Effect.map((stored) => Option.getOrUndefined(stored)?.document),
  );

  const find = Effect.fnUntraced(function* (name: string) {
    if (isElsewhere(codexHome, name)) return undefined;
    const document = yield* load.pipe(inAccount(name));
    if (document === undefined) return undefined;
    const kept: KeptAccount = { name, document, facts: yield* signInFacts(document) };
    return kept;
  });

  /** Each is judged on its own: one that is broken hides none of the others. */
  const all = Effect.gen(function* () {
    const kept: KeptAccount[] = [];
    const broken: BrokenAccount[] = [];
    for (const name of yield* Effect.andThen(requireHome, accountNames(codexHome))) {
      const found = yield* Effect.result(find(name));
      if (Result.isFailure(found)) broken.push({ name, error: found.failure });
      else if (found.success !== undefined) kept.push(found.success);
    }
    return { kept, broken };
  });

  /** The kept account that a sign-in is one of; `undefined` where it is none. Fails where it may be a broken one. */
  const accountOf = Effect.fnUntraced(function* ({ facts }: PresentSignIn) {
    const { kept, broken } = yield* all;
    const same = kept.find((one) => one.facts.key === facts.key);
    if (same !== undefined || broken[0] === undefined) return same;
    return yield* cannotTell(broken[0]);
  });

  const present = Effect.gen(function* () {
    const document = yield* load.pipe(inMain);
    if (document === undefined) return undefined;
    const signedIn: PresentSignIn = { document, facts: yield* signInFacts(document) };
    return signedIn;
  });

  return {
    all,
    find,
    present,
    accountOf,
    /** Refused where nothing would outlive the process. */
    checkPersistent:
      mode === "ephemeral" ? Effect.fail(new PersistentStoreRequired()) : Effect.void,
    /** Makes the folder, so that a sign-in can be stored in it. */
    prepare: (name: string) => makeAccountHome(session.environment.codexHome, name),
    keep: (name: string, document: AuthDocument) =>
      Effect.andThen(
        makeAccountHome(session.environment.codexHome, name),
        locked(save(document)).pipe(inAccount(name)),
      ),
    makePresent: (document: AuthDocument) => save(document).pipe(inMain),
    /** Removes what is kept, in every place of the store, and what we made for it. Revokes nothing. */
    forget: (name: string) =>
      locked(CredentialStore.use((store) => store.remove)).pipe(
        inAccount(name),
        Effect.andThen(removeAccountHome(codexHome, name)),
      ),
    /** Runs alone: no refresh, sign-in or switch of any process comes in between. */
    alone: <A, E, R>(effect: Effect.Effect<A, E, R>) => locked(effect).pipe(inMain),
  };
};
