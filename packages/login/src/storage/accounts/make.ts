import { lstatSync } from "node:fs";
import { join } from "node:path";
import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import { checkCodexHome, type CodexHome } from "../../config/codex-home.ts";
import { overridingEnvVar } from "../../config/environment.ts";
import {
  AccountExists,
  AccountInUse,
  AccountNotFound,
  AccountsNotShared,
  AccountUnreadable,
  CurrentSignInNotKept,
} from "../../errors/account.ts";
import { NotSignedIn } from "../../errors/credential.ts";
import {
  EnvironmentCredentialOverrides,
  PersistentStoreRequired,
} from "../../errors/login-input.ts";
import type { LoginError } from "../../errors/index.ts";
import { OwnerNotTrusted } from "../../errors/privilege.ts";
import type { StoreError } from "../../errors/store.ts";
import { tokenAuthority } from "../../oauth/authority.ts";
import { type AuthDocument, lastRefreshMs } from "../auth-json/index.ts";
import { layer as configuredStore } from "../configured.ts";
import { CredentialStore, logStoreWarning } from "../credential-store.ts";
import { HomeLock } from "../lock/index.ts";
import { controlOf } from "../privilege.ts";
import {
  accountHome,
  accountNames,
  checkName,
  createAccountFolder,
  hasFolder,
  removeAccountFolder,
} from "./folders.ts";
import { identifySignIn, type SignIn } from "./summary.ts";
import type { KeptAccountsOptions, KeptAccountsShape, RemovedAccount } from "./types.ts";

interface NamedSignIn {
  readonly name: string;
  readonly signIn: SignIn;
}

interface BrokenSignIn {
  readonly name: string;
  readonly error: StoreError;
}

/** Builds the service of `./index.ts`. */
export const makeKeptAccounts = (
  options: KeptAccountsOptions,
  transport: HttpTransport["Service"],
): KeptAccountsShape => {
  const { environment } = options;
  const { codexHome } = environment;
  const { credentialsStore: mode, secretAuthStorage = false } = options.config;
  const homeOf = (name: string): CodexHome => ({
    path: accountHome(codexHome.path, name),
    explicit: true,
  });
  const storeOf = (home: CodexHome) =>
    configuredStore({ mode, secretAuthStorage, codexHome: home });

  /** Runs with the store of a home, under its lock. The lock of an account is taken inside that of CODEX_HOME. */
  const lockedIn =
    (home: CodexHome) =>
    <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      HomeLock.use((lock) => lock.withLock(effect)).pipe(Effect.provide(storeOf(home)));

  const current = Effect.provide(loadSignIn, storeOf(codexHome));
  const find = (name: string): Effect.Effect<Option.Option<SignIn>, StoreError> =>
    Effect.suspend(() =>
      hasFolder(codexHome.path, name)
        ? Effect.provide(loadSignIn, storeOf(homeOf(name)))
        : Effect.succeedNone,
    );

  /**
   * Loads what is to be copied. As root in another user's home, a file that does not belong to that user is not copied,
   * because the copy would belong to that user.
   */
  const loadToCopy = (home: CodexHome) =>
    Effect.suspend((): Effect.Effect<Option.Option<SignIn>, StoreError | OwnerNotTrusted> => {
      const path = join(home.path, "auth.json");
      const { real, uids } = controlOf(path);
      const owner = lstatSync(real, { throwIfNoEntry: false })?.uid;
      const [ownerUid] = uids;
      return ownerUid === undefined || owner === undefined || uids.includes(owner)
        ? Effect.provide(loadSignIn, storeOf(home))
        : Effect.fail(new OwnerNotTrusted({ path, ownerUid }));
    });

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

  /**
   * Returns the kept account of a sign-in. If none matches but one cannot be read, it fails, because that one may
   * match.
   */
  const accountOf = Effect.fnUntraced(function* (signIn: SignIn) {
    const { broken, kept } = yield* all;
    const same = kept.find((one) => one.signIn.key === signIn.key);
    const [unknown] = broken;
    if (same !== undefined || unknown === undefined) return same;
    return yield* unreadable(unknown, true);
  });

  const isCurrent = Effect.fnUntraced(function* (signIn: SignIn) {
    return Option.exists(yield* current, ({ key }) => key === signIn.key);
  });

  /** Fails if an account is kept under the name, readable or not. */
  const checkFree = Effect.fnUntraced(function* (name: string) {
    if (mode === "ephemeral") return yield* new PersistentStoreRequired();
    const found = yield* Effect.result(find(name));
    if (Result.isSuccess(found) && Option.isNone(found.success)) return;
    const isSame = Result.isSuccess(found)
      ? yield* Effect.orElseSucceed(isCurrent(Option.getOrThrow(found.success)), () => false)
      : false;
    return yield* new AccountExists({ name, isCurrent: isSame, what: "name" });
  });

  const addCurrent = Effect.fnUntraced(function* (name: string) {
    yield* checkFree(name);
    const signIn = Option.getOrUndefined(yield* loadToCopy(codexHome));
    if (signIn === undefined) return yield* new NotSignedIn();
    const kept = yield* accountOf(signIn);
    if (kept !== undefined)
      return yield* new AccountExists({ name: kept.name, isCurrent: true, what: "signIn" });
    yield* createAccountFolder(codexHome, name);
    yield* lockedIn(homeOf(name))(save(signIn.document));
  });

  /** First the current sign-in is put back under its name, then it is replaced: a crash in between loses nothing. */
  const use = Effect.fnUntraced(function* (name: string) {
    const store = yield* CredentialStore;
    const home = homeOf(name);
    const replace = Effect.gen(function* () {
      const wanted = Option.getOrUndefined(yield* loadToCopy(home));
      if (wanted === undefined) return yield* new AccountNotFound({ name });
      const present = Option.getOrUndefined(yield* loadToCopy(codexHome));
      if (present?.key === wanted.key) return false;
      if (present !== undefined) {
        const kept = yield* accountOf(present);
        if (kept === undefined) return yield* new CurrentSignInNotKept();
        const newest = newer(present.document, kept.signIn.document);
        yield* lockedIn(homeOf(kept.name))(save(newest));
      }
      yield* store.save(wanted.document);
      return true;
    });
    const found = yield* Effect.result(find(name));
    if (Result.isFailure(found)) return yield* unreadable({ name, error: found.failure }, false);
    if (Option.isNone(found.success)) return yield* new AccountNotFound({ name });
    return yield* lockedIn(home)(replace);
  });

  /** A program that holds a lock file cannot prevent the removal. */
  const removeStored = <R>(name: string, before: Effect.Effect<unknown, never, R>) =>
    HomeLock.use((lock) =>
      lock.withLockIfAvailable(
        Effect.andThen(
          before,
          CredentialStore.use((store) => store.remove()),
        ),
        { onUnavailable: logStoreWarning },
      ),
    ).pipe(
      Effect.provide(storeOf(homeOf(name))),
      Effect.andThen(removeAccountFolder(codexHome.path, name)),
    );

  const revoke = Effect.fnUntraced(function* ({ authMode, tokens }: AuthDocument) {
    if (tokens === undefined || authMode === "chatgptAuthTokens") return "notNeeded";
    const { allowInsecureHttp = false } = options;
    const authority = tokenAuthority(environment, tokens.oauthProvenance, allowInsecureHttp);
    if (authority === undefined) return "failed";
    const { revokeTokens } = yield* Effect.promise(() => import("../../oauth/revoke.ts"));
    const isRevoked = yield* Effect.provideService(
      revokeTokens(tokens, authority),
      HttpTransport,
      transport,
    );
    return isRevoked ? "revoked" : "failed";
  });

  const remove = Effect.fnUntraced(function* (
    name: string,
  ): Effect.fn.Return<RemovedAccount, LoginError> {
    const found = yield* Effect.result(find(name));
    if (Result.isFailure(found)) {
      yield* removeStored(name, Effect.void);
      return { revoked: "unreadable" };
    }
    const signIn = Option.getOrUndefined(found.success);
    if (signIn === undefined) return yield* new AccountNotFound({ name });
    if (yield* isCurrent(signIn)) return yield* new AccountInUse({ name });
    let revoked: RemovedAccount["revoked"] = "notNeeded";
    const revokeNewest = Effect.gen(function* () {
      const newest = Option.getOrElse(
        yield* Effect.orElseSucceed(loadSignIn, () => Option.none<SignIn>()),
        () => signIn,
      );
      revoked = yield* revoke(newest.document);
    });
    yield* removeStored(name, revokeNewest);
    return { revoked };
  });

  const checkLocal =
    options.config.sharedStore === undefined ? Effect.void : Effect.fail(new AccountsNotShared());
  /** Names the home folder that is missing, instead of its accounts. */
  const checked = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.andThen(Effect.andThen(checkLocal, checkCodexHome(codexHome)), effect);
  const named = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) =>
    checked(Effect.andThen(checkName(name), effect));

  return {
    list: checked(
      Effect.gen(function* () {
        const { broken, kept } = yield* all;
        const now = Option.getOrUndefined(yield* current);
        const accounts = kept.map(({ name, signIn }) => ({
          name,
          isCurrent: signIn.key === now?.key,
          summary: signIn.summary,
        }));
        return { accounts, broken, ...(now !== undefined && { current: now.summary }) };
      }),
    ),
    nameOfCurrent: Effect.flatMap(
      checked(current),
      Option.match({
        onNone: () => Effect.succeedNone,
        onSome: (signIn) =>
          Effect.map(accountOf(signIn), (kept) => Option.fromUndefinedOr(kept?.name)),
      }),
    ),
    addCurrent: (name) => named(name, lockedIn(codexHome)(addCurrent(name))),
    addNew: (name, signIn) =>
      named(
        name,
        Effect.gen(function* () {
          yield* checkFree(name);
          yield* createAccountFolder(codexHome, name);
          const isEmpty = Effect.map(find(name), Option.isNone);
          const cleanUp = Effect.flatMap(isEmpty, (isEmpty) =>
            isEmpty ? removeStored(name, Effect.void) : Effect.void,
          );
          return yield* Effect.ensuring(signIn(homeOf(name)), Effect.ignore(cleanUp));
        }),
      ),
    use: (name) =>
      named(
        name,
        Effect.gen(function* () {
          const variable = overridingEnvVar(environment, options);
          if (variable !== undefined)
            return yield* new EnvironmentCredentialOverrides({ variable });
          if (mode === "ephemeral") return yield* new PersistentStoreRequired();
          return yield* lockedIn(codexHome)(use(name));
        }),
      ),
    remove: (name) => named(name, lockedIn(codexHome)(remove(name))),
    forget: (name) => named(name, removeStored(name, Effect.void)),
  };
};

const loadSignIn = CredentialStore.use((store) => store.load).pipe(
  Effect.flatMap(
    Option.match({
      onNone: () => Effect.succeedNone,
      onSome: ({ document }) => Effect.asSome(identifySignIn(document)),
    }),
  ),
);

const save = (document: AuthDocument) =>
  CredentialStore.use((store) => Effect.asVoid(store.save(document)));

const unreadable = ({ error, name }: BrokenSignIn, mayBeCurrent: boolean) =>
  Effect.fail(new AccountUnreadable({ name, reason: error.message, mayBeCurrent }));

/** Returns the newer of two documents of one sign-in. A manager that works with the kept copy may have refreshed it. */
const newer = (present: AuthDocument, kept: AuthDocument): AuthDocument =>
  (lastRefreshMs(kept) ?? 0) > (lastRefreshMs(present) ?? 0) ? kept : present;
