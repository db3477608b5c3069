import { randomBytes } from "node:crypto";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { parsePlanType } from "@agent-auth/agent-identity/record/plan";
import {
  parseStoredAgentIdentity,
  type AgentIdentityRecord,
} from "@agent-auth/agent-identity/record";
import {
  effectiveAuthMode,
  lastRefreshMs,
  recordFields,
  type AuthDocument,
  type AuthTokens,
} from "../storage/auth-json/index.ts";
import type { CredentialStore, StoredDocument } from "../storage/index.ts";
import {
  type Account,
  type ChatgptCredential,
  type CredentialSource,
  type ExternalChatgptCredential,
  isSameAccount,
} from "../credential/index.ts";
import {
  CredentialUnusable,
  LoginInputInvalid,
  type LoginError,
  RefreshAccountChanged,
} from "../errors/index.ts";
import { accountOf, decodeUnverifiedClaims } from "../oauth/id-token-claims.ts";
import { tokenAuthority } from "../oauth/authority.ts";
import { compact } from "../internal/compact.ts";
import type {
  AuthManagerOptions,
  ChatgptTokens,
  ExternalTokens,
  StoredChatgptSignIn,
} from "./types.ts";

// Loaded for ChatGPT sign-ins only: reading claims needs a parser that an API key does not need.

/** Returns the sign-in of a document with tokens. Nothing is verified, and nothing is sent. */
export const chatgptCredential = Effect.fnUntraced(function* (
  document: AuthDocument,
  tokens: AuthTokens,
  source: CredentialSource,
): Effect.fn.Return<ChatgptCredential, LoginError> {
  const { idToken, accessToken, refreshToken, accountId } = tokens;
  if (Redacted.value(accessToken) === "") {
    return yield* new CredentialUnusable({ source, reason: "tokens.access_token is empty" });
  }
  const claims = decodeUnverifiedClaims(idToken);
  if (claims === undefined) {
    return yield* new CredentialUnusable({
      source,
      reason: "tokens.id_token: invalid ID token format",
    });
  }
  return compact({
    _tag: "Chatgpt" as const,
    accessToken,
    refreshToken,
    idToken,
    account: accountOf(claims, accountId),
    expiresAtMs: decodeUnverifiedClaims(accessToken)?.expiresAtMs,
    lastRefreshMs: lastRefreshMs(document),
    ownedIdentity: yield* ownedIdentity(document),
    source,
  });
});

/**
 * The agent identity record that is stored with the tokens. An unreadable one is ignored, since the sign-in does not need it: a new
 * agent is registered if one is wanted. A JWT there is not verified, so it is not an identity.
 */
const ownedIdentity = (document: AuthDocument): Effect.Effect<AgentIdentityRecord | undefined> => {
  const stored = document.agentIdentity;
  return stored?._tag === "Record"
    ? parseStoredAgentIdentity(recordFields(stored)).pipe(Effect.orElseSucceed(() => undefined))
    : Effect.succeed(undefined);
};

/** Returns the external tokens of a document. Their claims are not verified. */
export const storedExternalCredential = (
  tokens: AuthTokens,
  source: CredentialSource,
): Effect.Effect<ExternalChatgptCredential, CredentialUnusable> => {
  const { accessToken, idToken } = tokens;
  const accountId = tokens.accountId ?? decodeUnverifiedClaims(idToken)?.accountId;
  const external = externalCredential(compact({ accessToken, accountId }), source);
  return Effect.map(external, (credential) => ({ ...credential, idToken }));
};

/**
 * Returns the tokens of an external provider. What the provider states about their owner overrides the token's claims.
 */
export const externalCredential = (
  tokens: Omit<ExternalTokens, "accountId"> & { readonly accountId?: string },
  source: CredentialSource,
): Effect.Effect<ExternalChatgptCredential, CredentialUnusable> => {
  if (Redacted.value(tokens.accessToken) === "") {
    return Effect.fail(new CredentialUnusable({ source, reason: "the access token is empty" }));
  }
  const claims = decodeUnverifiedClaims(tokens.accessToken) ?? { isFedrampAccount: false };
  const { planType } = tokens;
  return Effect.succeed(
    compact({
      _tag: "ExternalChatgpt" as const,
      accessToken: tokens.accessToken,
      account: {
        ...accountOf(claims, tokens.accountId),
        ...(planType === undefined ? {} : { planType: parsePlanType(planType) }),
      },
      expiresAtMs: claims.expiresAtMs,
      source,
    }),
  );
};

interface NewSignIn {
  readonly document: AuthDocument;
  /** The workspace that requests will name, and the workspaces in the claims of the tokens. */
  readonly workspaceIds: ReadonlyArray<string>;
}

/** Returns whose tokens a new sign-in has replaced, and whether it belongs to the same account. */
export const replacedSignIn = (
  { accountId, idToken }: AuthTokens,
  newAccount: Account,
): NonNullable<StoredChatgptSignIn["replaced"]> => {
  const claims = decodeUnverifiedClaims(idToken) ?? { isFedrampAccount: false };
  const account = accountOf(claims, accountId);
  return { account, isSameAccount: isSameAccount(account, newAccount) };
};

/** Returns the document to store for a finished ChatGPT sign-in. Fails if the id token is not a JWT or a token is empty. */
export const newSignIn = Effect.fnUntraced(function* (
  tokens: ChatgptTokens,
): Effect.fn.Return<NewSignIn, LoginInputInvalid> {
  const claims = decodeUnverifiedClaims(tokens.idToken);
  const what = "ChatGPT tokens";
  if (claims === undefined) {
    return yield* new LoginInputInvalid({ what, reason: "the id token is not a JWT" });
  }
  if (Redacted.value(tokens.accessToken) === "" || Redacted.value(tokens.refreshToken) === "") {
    return yield* new LoginInputInvalid({ what, reason: "a token is empty" });
  }
  const accountId = tokens.accountId ?? claims.accountId;
  const nowMs = yield* Clock.currentTimeMillis;
  const document: AuthDocument = compact({
    authMode: "chatgpt" as const,
    openaiApiKey: tokens.apiKey,
    tokens: compact({
      idToken: tokens.idToken,
      accessToken: tokens.accessToken,
      refreshToken: tokens.refreshToken,
      oauthProvenance: tokens.provenance,
      loginOwnerId: randomBytes(32).toString("base64url"),
      accountId,
    }),
    lastRefresh: new Date(nowMs).toISOString(),
  });
  const claimed = [claims, decodeUnverifiedClaims(tokens.accessToken)].map((it) => it?.accountId);
  const named = accountId === undefined ? [] : [accountId, ...claimed];
  return { document, workspaceIds: [...new Set(named.filter((id) => id !== undefined))] };
});

/** A stored ChatGPT sign-in: the document, its tokens, and the credential that they make. */
export interface StoredSignIn {
  readonly stored: StoredDocument;
  readonly tokens: AuthTokens;
  readonly credential: ChatgptCredential;
}

/**
 * Reads the stored ChatGPT sign-in again. Fails with `RefreshAccountChanged` if the store no longer holds one of the same
 * account and user.
 */
export const readSignIn = Effect.fnUntraced(function* (
  store: Pick<CredentialStore["Service"], "load">,
  mine: ChatgptCredential,
): Effect.fn.Return<StoredSignIn, LoginError> {
  const stored = Option.getOrUndefined(yield* store.load);
  const expectedAccountId = mine.account.accountId;
  const tokens = stored?.document.tokens;
  if (
    stored === undefined ||
    tokens === undefined ||
    effectiveAuthMode(stored.document) !== "chatgpt"
  ) {
    return yield* new RefreshAccountChanged(compact({ expectedAccountId }));
  }
  const credential = yield* chatgptCredential(stored.document, tokens, stored.source);
  if (!isSameAccount(credential.account, mine.account)) {
    const foundAccountId = credential.account.accountId;
    return yield* new RefreshAccountChanged(compact({ expectedAccountId, foundAccountId }));
  }
  return { stored, tokens, credential };
});

/** Revokes tokens at the authority that issued them. True if it confirmed. */
export const revokeSignIn = Effect.fnUntraced(function* (
  options: AuthManagerOptions,
  tokens: AuthTokens,
): Effect.fn.Return<boolean, never, HttpTransport> {
  const { environment, allowInsecureHttp = false } = options;
  const authority = tokenAuthority(environment, tokens.oauthProvenance, allowInsecureHttp);
  if (authority === undefined) return false;
  const { revokeTokens } = yield* Effect.promise(() => import("../oauth/revoke.ts"));
  return yield* revokeTokens(tokens, authority);
});
