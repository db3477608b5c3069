import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { parsePlanType } from "@agent-auth/agent-identity/record/plan";
import {
  parseStoredAgentIdentity,
  type AgentIdentityRecord,
} from "@agent-auth/agent-identity/record";
import {
  lastRefreshMs,
  recordFields,
  type AuthDocument,
  type AuthTokens,
} from "../storage/auth-json/index.ts";
import type {
  ChatgptCredential,
  CredentialSource,
  ExternalChatgptCredential,
} from "../credential/index.ts";
import { CredentialUnusable, type LoginError } from "../errors/index.ts";
import { accountOf, decodeUnverifiedClaims } from "../oauth/id-token-claims.ts";
import { compact } from "../internal/compact.ts";
import type { ExternalTokens } from "./types.ts";

// Loaded for ChatGPT sign-ins only: reading claims needs a parser that an API key can do without.

/** The sign-in that a document with tokens holds. Nothing of it is verified, and nothing is sent. */
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
 * The record that lies beside the tokens. One that does not read is not in the way of the sign-in, which does not
 * need it: a new one is registered when an identity is wanted. A JWT there is not verified, so it is no identity.
 */
const ownedIdentity = (document: AuthDocument): Effect.Effect<AgentIdentityRecord | undefined> => {
  const stored = document.agentIdentity;
  return stored?._tag === "Record"
    ? parseStoredAgentIdentity(recordFields(stored)).pipe(Effect.orElseSucceed(() => undefined))
    : Effect.succeed(undefined);
};

/** External tokens that a document holds; what they say of their owner is not verified. */
export const storedExternalCredential = (
  tokens: AuthTokens,
  source: CredentialSource,
): Effect.Effect<ExternalChatgptCredential, CredentialUnusable> => {
  const { accessToken, idToken } = tokens;
  const accountId = tokens.accountId ?? decodeUnverifiedClaims(idToken)?.accountId;
  const external = externalCredential(compact({ accessToken, accountId }), source);
  return Effect.map(external, (credential) => ({ ...credential, idToken }));
};

/** Tokens that an external provider handed over; where both speak, its word beats the token's claims. */
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
