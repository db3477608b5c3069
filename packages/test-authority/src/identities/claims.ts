import { randomBytes } from "node:crypto";
import { SignJWT } from "jose";
import type { JWTPayload } from "jose";
import type { Account } from "./accounts.ts";
import { epochSeconds } from "../steering/clock.ts";
import type { SigningKey, SigningKeys } from "./signing-keys.ts";

/** Default `iss` and `aud` of agent identity JWTs. */
export const agentIdentityIssuer = "https://chatgpt.com/codex-backend/agent-identity";
export const agentIdentityAudience = "codex-app-server";

/** Options of an agent identity JWT. The defaults make a valid one; each option can make one thing wrong. */
export interface MintAgentIdentityOptions {
  /** Default: the authority's first account. */
  readonly account?: Account;
  /** Overrides the account's email. */
  readonly email?: string;
  readonly planType?: string;
  /** Default: a new id. */
  readonly agentRuntimeId?: string;
  /** Design of the claims. Default `v2`. */
  readonly design?: "v2" | "v1";
  /** Version of the private key's PKCS#8 structure (RFC 5958). Default 1. */
  readonly privateKeyVersion?: 1 | 2;
  /** Seconds from now, by the authority's clock; negative for an expired token. Default 3600. */
  readonly expiresInSeconds?: number;
  /** Seconds from now until the token is valid; without it, there is no `nbf` claim. */
  readonly notBeforeInSeconds?: number;
  readonly issuer?: string;
  readonly audience?: string;
  /** The header's key id; null leaves it out. Default: the signing key's. */
  readonly kid?: string | null;
  /**
   * How it is signed. `unknownKey`: RS256 by an unpublished key, under its own kid. `forgedKey`: the same key under
   * the published kid. `hs256`: HMAC keyed with the published public key. `none`: not at all.
   */
  readonly signature?: "published" | "unknownKey" | "forgedKey" | "hs256" | "none";
  /** Claims that are added to the usual ones or replace them; undefined removes one. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Additional header parameters. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Whether the authority registers the agent, so that it can register tasks. Default true. */
  readonly known?: boolean;
}

/** How claims are signed: the fields of `MintAgentIdentityOptions` about signing. */
export interface Signing {
  readonly kid?: string | null;
  readonly signature?: MintAgentIdentityOptions["signature"];
  readonly header?: Readonly<Record<string, unknown>>;
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

const pickKey = async (keys: SigningKeys, signature: Signing["signature"]): Promise<SigningKey> => {
  if (signature === "unknownKey") return keys.stranger();
  const current = await keys.current();
  return signature === "forgedKey" ? { ...(await keys.stranger()), kid: current.kid } : current;
};

/** Signs claims as a compact JWS (RFC 7515), with the defect that `signing` asks for, if any. */
export const signClaims = async (
  keys: SigningKeys,
  claims: Readonly<Record<string, unknown>>,
  signing: Signing = {},
): Promise<string> => {
  const { signature = "published" } = signing;
  const key = await pickKey(keys, signature);
  const kid = signing.kid === undefined ? key.kid : signing.kid;
  const header = { typ: "JWT", ...(kid === null ? {} : { kid }), ...signing.header };
  if (signature === "none") return `${encode({ alg: "none", ...header })}.${encode(claims)}.`;
  const payload: JWTPayload = claims;
  if (signature === "hs256") {
    const pem = key.publicKey.export({ format: "pem", type: "spki" }).toString();
    return new SignJWT(payload)
      .setProtectedHeader({ alg: "HS256", ...header })
      .sign(Buffer.from(pem));
  }
  return new SignJWT(payload).setProtectedHeader({ alg: "RS256", ...header }).sign(key.privateKey);
};

const currentClaims = (account: Account, agentRuntimeId: string, privateKey: string) => ({
  agent_runtime_id: agentRuntimeId,
  agent_private_key: privateKey,
  account_id: account.accountId,
  chatgpt_user_id: account.userId,
  email: account.email,
  plan_type: account.planType,
  chatgpt_account_is_fedramp: account.isFedrampAccount,
});

const firstDesignClaims = (
  account: Account,
  agentRuntimeId: string,
  privateKey: string,
  nowMs: number,
) => ({
  workspace_id: account.accountId,
  chatgpt_user_id: account.userId,
  agent_runtime_id: agentRuntimeId,
  agent_private_key: privateKey,
  registered_at: new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z"),
});

/** Claims of an agent identity JWT in the given design. */
export const agentIdentityClaims = (
  account: Account,
  agentRuntimeId: string,
  privateKey: string,
  nowMs: number,
  options: MintAgentIdentityOptions,
): Readonly<Record<string, unknown>> => {
  const now = epochSeconds(nowMs);
  const { expiresInSeconds = 3600, notBeforeInSeconds } = options;
  return {
    iss: options.issuer ?? agentIdentityIssuer,
    aud: options.audience ?? agentIdentityAudience,
    iat: now,
    ...(notBeforeInSeconds === undefined ? {} : { nbf: now + notBeforeInSeconds }),
    exp: now + expiresInSeconds,
    ...(options.design === "v1"
      ? firstDesignClaims(account, agentRuntimeId, privateKey, nowMs)
      : {
          ...currentClaims(account, agentRuntimeId, privateKey),
          ...(options.email === undefined ? {} : { email: options.email }),
          ...(options.planType === undefined ? {} : { plan_type: options.planType }),
        }),
    ...options.claims,
  };
};

/** Claims about the account, in both id tokens and access tokens. */
const profileClaims = (account: Account) => ({
  sub: `auth0|${account.userId}`,
  email: account.email,
  email_verified: true,
  "https://api.openai.com/profile": { email: account.email, email_verified: true },
  "https://api.openai.com/auth": {
    chatgpt_plan_type: account.planType,
    chatgpt_user_id: account.userId,
    user_id: account.userId,
    chatgpt_account_id: account.accountId,
    chatgpt_account_is_fedramp: account.isFedrampAccount,
    organizations: [{ id: account.accountId, title: account.workspaceName, is_default: true }],
  },
});

/** Subject, audience and lifetime of a token. */
export interface PersonalTokenFacts {
  readonly account: Account;
  readonly issuer: string;
  readonly audience: string;
  readonly clientId: string;
  readonly nowMs: number;
  readonly expiresInSeconds: number;
}

/** Claims of an id token (OpenID Connect Core §2) or of an access token (RFC 9068). */
export const personalTokenClaims = (
  facts: PersonalTokenFacts,
): Readonly<Record<string, unknown>> => ({
  iss: facts.issuer,
  aud: facts.audience,
  client_id: facts.clientId,
  iat: epochSeconds(facts.nowMs),
  exp: epochSeconds(facts.nowMs) + facts.expiresInSeconds,
  jti: randomBytes(9).toString("base64url"),
  ...profileClaims(facts.account),
});
