import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import type { AuthDocument } from "../storage/auth-json/index.ts";
import type { StoredDocument, StoreSource } from "../storage/index.ts";
import type { Credential } from "../credential/index.ts";
import {
  EnvironmentCredentialOverrides,
  LoginInputInvalid,
  type LoginError,
  type LoginMethodDisabled,
  type WorkspaceNotAllowed,
} from "../errors/index.ts";
import { checkLoginMethod, checkWorkspaces, type LoginMethod } from "../config/restrictions.ts";
import type { ChatgptTokens, SavedSignIn, StoredChatgptSignIn } from "./types.ts";
import { changeStored } from "./change-stored.ts";
import type { ManagerDeps } from "./deps.ts";
import { isPersonalAccessToken, loadContent, loadPersonalAccessToken, withTasks } from "./load.ts";
import { overridingEnvVar } from "../config/environment.ts";
import { isStoreInMemory } from "./sources.ts";

// Each login fails if an environment variable would override it or a restriction forbids it. Then the credential is
// checked and stored. The credential that it replaces is revoked last.

/** `AuthManager.checkLogin`. */
export const checkLogin = Effect.fn("AuthManager.checkLogin")(function* (
  deps: ManagerDeps,
  method: LoginMethod,
): Effect.fn.Return<void, LoginError> {
  yield* refuseRuledOut(deps, method);
  yield* deps.store.load; // a document that does not parse is not overwritten
  yield* deps.store.checkWritable;
});

/** `AuthManager.loginWithApiKey`. */
export const loginWithApiKey = Effect.fn("AuthManager.loginWithApiKey")(function* (
  deps: ManagerDeps,
  apiKey: Redacted.Redacted,
): Effect.fn.Return<Credential, LoginError, HttpTransport> {
  yield* refuseRuledOut(deps, "apiKey");
  const openaiApiKey = yield* oneLine(apiKey, "API key");
  return (yield* storeAndLoad(deps, { authMode: "apikey", openaiApiKey })).credential;
});

/** `AuthManager.loginWithAccessToken`. */
export const loginWithAccessToken = Effect.fn("AuthManager.loginWithAccessToken")(function* (
  deps: ManagerDeps,
  token: Redacted.Redacted,
): Effect.fn.Return<Credential, LoginError, HttpTransport> {
  const { document } = yield* checkAccessToken(deps, token);
  return (yield* storeAndLoad(deps, document)).credential;
});

/** `AuthManager.saveAccessToken`. The credential is loaded at its next use. */
export const saveAccessToken = Effect.fn("AuthManager.saveAccessToken")(function* (
  deps: ManagerDeps,
  token: Redacted.Redacted,
): Effect.fn.Return<SavedSignIn, LoginError, HttpTransport> {
  const { document, saved } = yield* checkAccessToken(deps, token);
  const { replaced } = yield* replaceStored(deps, document);
  deps.state.unload();
  yield* revokeReplaced(deps, replaced, document);
  return saved;
});

/** `AuthManager.loginWithChatgptTokens`. */
export const loginWithChatgptTokens = Effect.fn("AuthManager.loginWithChatgptTokens")(function* (
  deps: ManagerDeps,
  tokens: ChatgptTokens,
): Effect.fn.Return<StoredChatgptSignIn, LoginError, HttpTransport> {
  yield* refuseRuledOut(deps, "chatgpt");
  const { newSignIn, replacedSignIn } = yield* chatgpt;
  const { document, workspaceIds } = yield* newSignIn(tokens);
  yield* checkWorkspaces(deps.options.config, workspaceIds);
  const { credential, replaced } = yield* storeAndLoad(deps, document);
  const tokensBefore = replaced?.document.tokens;
  return tokensBefore === undefined
    ? { credential }
    : { credential, replaced: replacedSignIn(tokensBefore, credential.account) };
});

const chatgpt = Effect.promise(() => import("./chatgpt.ts"));

const refuseRuledOut = (
  deps: ManagerDeps,
  method: LoginMethod,
): Effect.Effect<
  void,
  EnvironmentCredentialOverrides | LoginMethodDisabled | WorkspaceNotAllowed
> => {
  const variable = overridingEnvVar(deps.options.environment, deps.options);
  const isBeaten = variable === "CODEX_ACCESS_TOKEN" && isStoreInMemory(deps);
  return variable === undefined || isBeaten
    ? checkLoginMethod(deps.options.config, method)
    : Effect.fail(new EnvironmentCredentialOverrides({ variable }));
};

interface CheckedToken {
  readonly document: AuthDocument;
  readonly saved: SavedSignIn;
}

/**
 * Checks the login method, the form of the token, its signature or owner, and the allowed workspaces. Nothing is
 * stored.
 */
const checkAccessToken = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  given: Redacted.Redacted,
): Effect.fn.Return<CheckedToken, LoginError, HttpTransport> {
  yield* refuseRuledOut(deps, "accessToken");
  const token = yield* oneLine(given, "access token");
  const checked = isPersonalAccessToken(token)
    ? yield* checkPersonalAccessToken(deps, token)
    : yield* checkAgentJwt(deps, token);
  const { accountId } = checked.saved.account;
  yield* checkWorkspaces(deps.options.config, accountId === undefined ? [] : [accountId]);
  return checked;
});

const checkPersonalAccessToken = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  token: Redacted.Redacted,
): Effect.fn.Return<CheckedToken, LoginError, HttpTransport> {
  const source = deps.store.describe.places[0] ?? { _tag: "Ephemeral" };
  const { account } = yield* loadPersonalAccessToken(deps.options, token, source);
  return {
    document: { personalAccessToken: token },
    saved: { kind: "PersonalAccessToken", account },
  };
});

const checkAgentJwt = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  jwt: Redacted.Redacted,
): Effect.fn.Return<CheckedToken, LoginError> {
  const agents = yield* deps.agents;
  const { expiresAtMs, record } = yield* agents.verify(jwt);
  const { accountOfAgent } = yield* Effect.promise(() => import("../agents/identities.ts"));
  return {
    document: { authMode: "agentIdentity", agentIdentity: { _tag: "Jwt", jwt } },
    saved: { kind: "AgentIdentity", account: accountOfAgent(record), expiresAtMs },
  };
});

/** Trims a secret. Fails unless a header can carry it: one line of visible ASCII, not empty. */
const oneLine = (
  secret: Redacted.Redacted,
  what: "API key" | "access token",
): Effect.Effect<Redacted.Redacted, LoginInputInvalid> => {
  const text = Redacted.value(secret).trim();
  if (text === "") return Effect.fail(new LoginInputInvalid({ what, reason: "it is empty" }));
  return /^[\x21-\x7e]+$/.test(text)
    ? Effect.succeed(Redacted.make(text, { label: what }))
    : Effect.fail(
        new LoginInputInvalid({ what, reason: "it must be one line of visible ASCII characters" }),
      );
};

/** Stores a sign-in and makes it current. If it cannot be loaded it stays stored, and the error is the result. */
const storeAndLoad = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  document: AuthDocument,
): Effect.fn.Return<StoredAndLoaded, LoginError, HttpTransport> {
  const { replaced, source, version } = yield* replaceStored(deps, document);
  const { environment } = deps.options;
  const credential = yield* loadContent(
    { environment, agents: Effect.map(deps.agents, withTasks) },
    { _tag: "Document", document, source },
  ).pipe(
    Effect.tapError((error) => Effect.sync(() => deps.state.fail(error, version))),
    Effect.tapError(() => revokeReplaced(deps, replaced, document)),
  );
  deps.state.accept(Option.some(credential), version);
  yield* revokeReplaced(deps, replaced, document);
  return { credential, replaced };
});

interface StoredAndLoaded {
  readonly credential: Credential;
  readonly replaced: StoredDocument | undefined;
}

interface Replacement {
  readonly source: StoreSource;
  readonly replaced: StoredDocument | undefined;
  /**
   * Version of the manager's state after the change. Results of loads and refreshes that started before it are ignored.
   */
  readonly version: number;
}

/**
 * Replaces the stored document. Unknown members are kept. External tokens are dropped, because they would be used
 * instead. Waiting for the lock can be interrupted, the change cannot.
 */
const replaceStored = (
  deps: ManagerDeps,
  document: AuthDocument,
): Effect.Effect<Replacement, LoginError> =>
  changeStored(
    deps.homeLock,
    Effect.uninterruptible(
      Effect.gen(function* () {
        const replaced = Option.getOrUndefined(yield* deps.store.load);
        const unknown = replaced?.document.unknown;
        const source = yield* deps.store.save(
          unknown === undefined ? document : { ...document, unknown },
          { expected: replaced?.version ?? null },
        );
        if (!isStoreInMemory(deps)) yield* deps.ephemeral.remove();
        deps.external.set(null);
        return { replaced, source, version: deps.state.invalidate() };
      }),
    ),
  );

/** Revokes tokens that were replaced, best effort. */
const revokeReplaced = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  replaced: StoredDocument | undefined,
  document: AuthDocument,
): Effect.fn.Return<void, never, HttpTransport> {
  const old = replaced?.document.tokens;
  if (old === undefined || replaced?.document.authMode === "chatgptAuthTokens") return;
  const kept = document.tokens?.refreshToken;
  if (kept !== undefined && Redacted.value(kept) === Redacted.value(old.refreshToken)) return;
  const { revokeSignIn } = yield* chatgpt;
  yield* revokeSignIn(deps.options, old);
});
