import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import type { AuthDocument } from "../storage/auth-json/index.ts";
import type { StoredDocument, StoreSource } from "../storage/index.ts";
import type { Credential } from "../credential/index.ts";
import {
  EnvironmentCredentialOverrides,
  InvalidLoginInput,
  type LoginError,
  type LoginMethodDisabled,
} from "../errors/index.ts";
import { tokenAuthority } from "../oauth/authority.ts";
import { checkLoginMethod, checkWorkspaces, type LoginMethod } from "../config/restrictions.ts";
import type { ChatgptTokens, SavedSignIn } from "./types.ts";
import type { Core } from "./core.ts";
import { isPersonalAccessToken, loadFinding, loadPersonalAccessToken } from "./load-credential.ts";
import { overridingEnvVar } from "../config/environment.ts";
import { isStoreInMemory } from "./sources.ts";

// Each sign-in: refused where a variable or a restriction rules it out, checked, then stored, and only then is what it
// replaces let go of. All but `checkLogin`, which changes nothing, run in the manager's turn.

/** `AuthManager.checkLogin`. */
export const checkLogin = Effect.fn("AuthManager.checkLogin")(function* (
  core: Core,
  method: LoginMethod,
): Effect.fn.Return<void, LoginError> {
  yield* refuseWhatIsRuledOut(core, method);
  yield* core.store.load; // what does not read is not written over
  yield* core.store.checkWritable;
});

/** `AuthManager.loginWithApiKey`. */
export const loginWithApiKey = Effect.fn("AuthManager.loginWithApiKey")(function* (
  core: Core,
  apiKey: Redacted.Redacted,
): Effect.fn.Return<Credential, LoginError, HttpTransport> {
  yield* refuseWhatIsRuledOut(core, "apiKey");
  const openaiApiKey = yield* oneLine(apiKey, "API key");
  return yield* storeAndLoad(core, { authMode: "apikey", openaiApiKey });
});

/** `AuthManager.loginWithAccessToken`. */
export const loginWithAccessToken = Effect.fn("AuthManager.loginWithAccessToken")(function* (
  core: Core,
  token: Redacted.Redacted,
): Effect.fn.Return<Credential, LoginError, HttpTransport> {
  const { document } = yield* checkAccessToken(core, token);
  return yield* storeAndLoad(core, document);
});

/** `AuthManager.saveAccessToken`. What is current is loaded anew when it is next asked for. */
export const saveAccessToken = Effect.fn("AuthManager.saveAccessToken")(function* (
  core: Core,
  token: Redacted.Redacted,
): Effect.fn.Return<SavedSignIn, LoginError, HttpTransport> {
  const { document, saved } = yield* checkAccessToken(core, token);
  const { replaced } = yield* replaceStored(core, document);
  core.cell.unload();
  yield* revokeReplaced(core, replaced, document);
  return saved;
});

/** `AuthManager.loginWithChatgptTokens`. */
export const loginWithChatgptTokens = Effect.fn("AuthManager.loginWithChatgptTokens")(function* (
  core: Core,
  tokens: ChatgptTokens,
): Effect.fn.Return<Credential, LoginError, HttpTransport> {
  yield* refuseWhatIsRuledOut(core, "chatgpt");
  const { chatgptDocument } = yield* Effect.promise(() => import("./chatgpt-document.ts"));
  const { document, workspaceIds } = yield* chatgptDocument(tokens);
  yield* checkWorkspaces(core.options.config, workspaceIds);
  return yield* storeAndLoad(core, document);
});

const refuseWhatIsRuledOut = (
  core: Core,
  method: LoginMethod,
): Effect.Effect<void, EnvironmentCredentialOverrides | LoginMethodDisabled> => {
  const variable = overridingEnvVar(core.options.environment, core.options);
  const isBeaten = variable === "CODEX_ACCESS_TOKEN" && isStoreInMemory(core);
  return variable === undefined || isBeaten
    ? checkLoginMethod(core.options.config, method)
    : Effect.fail(new EnvironmentCredentialOverrides({ variable }));
};

interface CheckedToken {
  readonly document: AuthDocument;
  readonly saved: SavedSignIn;
}

/** Shape first, then the authority's word, then the restrictions; nothing is stored yet. */
const checkAccessToken = Effect.fnUntraced(function* (
  core: Core,
  given: Redacted.Redacted,
): Effect.fn.Return<CheckedToken, LoginError, HttpTransport> {
  yield* refuseWhatIsRuledOut(core, "accessToken");
  const token = yield* oneLine(given, "access token");
  const checked = isPersonalAccessToken(token)
    ? yield* checkPersonalAccessToken(core, token)
    : yield* checkAgentJwt(core, token);
  const { accountId } = checked.saved.account;
  yield* checkWorkspaces(core.options.config, accountId === undefined ? [] : [accountId]);
  return checked;
});

const checkPersonalAccessToken = Effect.fnUntraced(function* (
  core: Core,
  token: Redacted.Redacted,
): Effect.fn.Return<CheckedToken, LoginError, HttpTransport> {
  const source = core.store.describe.places[0] ?? { _tag: "Ephemeral" };
  const { account } = yield* loadPersonalAccessToken(core.options, token, source);
  return {
    document: { personalAccessToken: token },
    saved: { kind: "PersonalAccessToken", account },
  };
});

const checkAgentJwt = Effect.fnUntraced(function* (
  core: Core,
  jwt: Redacted.Redacted,
): Effect.fn.Return<CheckedToken, LoginError> {
  const agents = yield* core.agents;
  const { expiresAtMs, record } = yield* agents.verify(jwt);
  const { accountOfAgent } = yield* Effect.promise(() => import("../agents/identities.ts"));
  return {
    document: { authMode: "agentIdentity", agentIdentity: { _tag: "Jwt", jwt } },
    saved: { kind: "AgentIdentity", account: accountOfAgent(record), expiresAtMs },
  };
});

/** A secret as a header can carry it: trimmed, not empty, visible ASCII. */
const oneLine = (
  secret: Redacted.Redacted,
  what: "API key" | "access token",
): Effect.Effect<Redacted.Redacted, InvalidLoginInput> => {
  const text = Redacted.value(secret).trim();
  if (text === "") return Effect.fail(new InvalidLoginInput({ what, reason: "it is empty" }));
  return /^[\x21-\x7e]+$/.test(text)
    ? Effect.succeed(Redacted.make(text, { label: what }))
    : Effect.fail(
        new InvalidLoginInput({ what, reason: "it must be one line of visible ASCII characters" }),
      );
};

/** Stores a sign-in and makes it current. Where it cannot be loaded it is stored all the same, and that is the error. */
const storeAndLoad = Effect.fnUntraced(function* (
  core: Core,
  document: AuthDocument,
): Effect.fn.Return<Credential, LoginError, HttpTransport> {
  const { replaced, source } = yield* replaceStored(core, document);
  const { environment } = core.options;
  const credential = yield* loadFinding(
    { environment, agents: core.agents },
    { _tag: "Document", document, source },
  ).pipe(
    Effect.tapError((error) => Effect.sync(() => core.cell.fail(error))),
    Effect.tapError(() => revokeReplaced(core, replaced, document)),
  );
  core.cell.accept(Option.some(credential));
  yield* revokeReplaced(core, replaced, document);
  return credential;
});

interface Replacement {
  readonly source: StoreSource;
  readonly replaced: StoredDocument | undefined;
}

/**
 * Puts a document in the place of the stored one. Members that we do not know stay. External tokens, which would come
 * first, are let go of. Waiting for the lock can be interrupted; the change itself is made whole.
 */
const replaceStored = (
  core: Core,
  document: AuthDocument,
): Effect.Effect<Replacement, LoginError> =>
  core.lock.withLock(
    Effect.uninterruptible(
      Effect.gen(function* () {
        const replaced = Option.getOrUndefined(yield* core.store.load);
        const unknown = replaced?.document.unknown;
        const source = yield* core.store.save(
          unknown === undefined ? document : { ...document, unknown },
        );
        if (core.ephemeral !== core.store) yield* core.ephemeral.remove;
        core.external.set(null);
        return { replaced, source };
      }),
    ),
  );

/** Tokens that were replaced are revoked, best effort, once the new ones are safe. */
const revokeReplaced = Effect.fnUntraced(function* (
  core: Core,
  replaced: StoredDocument | undefined,
  document: AuthDocument,
): Effect.fn.Return<void, never, HttpTransport> {
  const old = replaced?.document.tokens;
  if (old === undefined || replaced?.document.authMode === "chatgptAuthTokens") return;
  const kept = document.tokens?.refreshToken;
  if (kept !== undefined && Redacted.value(kept) === Redacted.value(old.refreshToken)) return;
  yield* revokeAt(core, old);
});

/** Revokes tokens at the authority that they came from. True where it confirmed. */
export const revokeAt = Effect.fnUntraced(function* (
  core: Core,
  tokens: NonNullable<AuthDocument["tokens"]>,
): Effect.fn.Return<boolean, never, HttpTransport> {
  const { environment, allowInsecureHttp = false } = core.options;
  const authority = tokenAuthority(environment, tokens.oauthProvenance, allowInsecureHttp);
  if (authority === undefined) return false;
  const { revokeTokens } = yield* Effect.promise(() => import("../oauth/revoke.ts"));
  return yield* revokeTokens(tokens, authority);
});
