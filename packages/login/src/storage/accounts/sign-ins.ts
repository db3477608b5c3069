import { lstatSync } from "node:fs";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import type { CodexHome } from "../../config/codex-home.ts";
import { AccountUnreadable } from "../../errors/account.ts";
import { OwnerNotTrusted } from "../../errors/privilege.ts";
import type { StoreError } from "../../errors/store.ts";
import type { AuthDocument } from "../auth-json/index.ts";
import { layer as configuredStore } from "../configured.ts";
import { CredentialStore } from "../credential-store.ts";
import { HomeLock } from "../lock/index.ts";
import { controlOf } from "../privilege.ts";
import { accountHome, accountNames, hasFolder } from "./folders.ts";
import { identifySignIn, type SignIn } from "./summary.ts";
import type { KeptAccountsOptions } from "./types.ts";

interface NamedSignIn {
  readonly name: string;
  readonly signIn: SignIn;
}

interface BrokenSignIn {
  readonly name: string;
  readonly error: StoreError;
}

/** Reads the current sign-in and the kept ones of a CODEX_HOME. */
export type SignIns = ReturnType<typeof makeSignIns>;

export const makeSignIns = ({ config, environment }: KeptAccountsOptions) => {
  const { codexHome } = environment;
  const { credentialsStore: mode, secretAuthStorage = false } = config;
  const homeOf = (name: string): CodexHome => ({
    path: accountHome(codexHome.path, name),
    explicit: true,
  });
  const storeOf = (home: CodexHome) =>
    configuredStore({ mode, secretAuthStorage, codexHome: home });

  const current = Effect.provide(loadSignIn, storeOf(codexHome));
  const find = (name: string): Effect.Effect<Option.Option<SignIn>, StoreError> =>
    Effect.suspend(() =>
      hasFolder(codexHome.path, name)
        ? Effect.provide(loadSignIn, storeOf(homeOf(name)))
        : Effect.succeedNone,
    );

  const all = Effect.gen(function* () {
    const kept: Array<NamedSignIn> = [];
    const broken: Array<BrokenSignIn> = [];
    for (const name of yield* accountNames(codexHome.path)) {
      const found = yield* Effect.result(find(name));
      if (Result.isFailure(found)) broken.push({ name, error: found.failure });
      else if (Option.isSome(found.success)) kept.push({ name, signIn: found.success.value });
    }
    return { kept, broken };
  });

  return {
    homeOf,
    storeOf,
    /** The sign-in that Codex and `AuthManager` use. */
    current,
    /** The sign-in that is kept under a name. */
    find,
    /** All kept accounts, and those that cannot be read. */
    all,
    /** Whether Codex and `AuthManager` use this sign-in. */
    isCurrent: Effect.fnUntraced(function* (signIn: SignIn) {
      return Option.exists(yield* current, ({ key }) => key === signIn.key);
    }),
    /**
     * The kept account of a sign-in. If none matches but one cannot be read, it fails, because that one may match.
     */
    accountOf: Effect.fnUntraced(function* (signIn: SignIn) {
      const { broken, kept } = yield* all;
      const same = kept.find((one) => one.signIn.key === signIn.key);
      const [unknown] = broken;
      if (same !== undefined || unknown === undefined) return same;
      return yield* unreadable(unknown, true);
    }),
    /**
     * Loads what is to be copied. As root in another user's home, a file that does not belong to that user is not copied,
     * because the copy would belong to that user.
     */
    loadToCopy: (home: CodexHome) =>
      Effect.suspend((): Effect.Effect<Option.Option<SignIn>, StoreError | OwnerNotTrusted> => {
        const path = join(home.path, "auth.json");
        const { real, uids } = controlOf(path);
        const owner = lstatSync(real, { throwIfNoEntry: false })?.uid;
        const [ownerUid] = uids;
        return ownerUid === undefined || owner === undefined || uids.includes(owner)
          ? Effect.provide(loadSignIn, storeOf(home))
          : Effect.fail(new OwnerNotTrusted({ path, ownerUid }));
      }),
    /** Runs with the store of a home, under its lock. The lock of an account is taken inside that of CODEX_HOME. */
    lockedIn:
      (home: CodexHome) =>
      <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        HomeLock.use((lock) => lock.withLock(effect)).pipe(Effect.provide(storeOf(home))),
  };
};

/** The sign-in in the store of the context. */
export const loadSignIn = CredentialStore.use((store) => store.load).pipe(
  Effect.flatMap(
    Option.match({
      onNone: () => Effect.succeedNone,
      onSome: ({ document }) => Effect.asSome(identifySignIn(document)),
    }),
  ),
);

/** Stores a document in the store of the context. */
export const save = (document: AuthDocument) =>
  CredentialStore.use((store) => Effect.asVoid(store.save(document)));

export const unreadable = ({ error, name }: BrokenSignIn, mayBeCurrent: boolean) =>
  Effect.fail(new AccountUnreadable({ name, reason: error.message, mayBeCurrent }));
