import { createHmac, randomBytes } from "node:crypto";
import { defaultAudience, defaultIssuer } from "@agent-auth/agent-identity/jwt";
import { identityClaims, signJwt } from "@agent-auth/gateway/issuer";
import * as Effect from "effect/Effect";
import type { Account } from "./accounts.ts";
import { agentAccountOf } from "./agents.ts";
import { epochSeconds } from "../steering/clock.ts";
import type { SigningKey, SigningKeys } from "./signing-keys.ts";

/** Default `iss` and `aud` of agent identity JWTs. */
export const agentIdentityIssuer = defaultIssuer;
export const agentIdentityAudience = defaultAudience;

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
  // JSON leaves out what is undefined.
  const header = { kid: kid ?? undefined, ...signing.header };
  if (signature === "published" || signature === "unknownKey" || signature === "forgedKey")
    return Effect.runPromise(signJwt(key, claims, header));
  const alg = signature === "none" ? "none" : "HS256";
  const input = `${encode({ alg, typ: "JWT", ...header })}.${encode(claims)}`;
  if (signature === "none") return `${input}.`;
  const pem = key.publicKey.export({ format: "pem", type: "spki" });
  return `${input}.${createHmac("sha256", pem).update(input).digest("base64url")}`;
};

/** Claims of an agent identity JWT in the given design. */
export const agentIdentityClaims = (
  account: Account,
  agentRuntimeId: string,
  privateKey: string,
  nowMs: number,
  options: MintAgentIdentityOptions,
): Readonly<Record<string, unknown>> => {
  const now = epochSeconds(nowMs);
  const { design = "v2", expiresInSeconds = 3600, notBeforeInSeconds } = options;
  return {
    ...identityClaims({
      issuer: options.issuer ?? agentIdentityIssuer,
      audience: options.audience ?? agentIdentityAudience,
      account: agentAccountOf(account),
      agentRuntimeId,
      privateKey,
      nowMs,
      expiresInSeconds,
      design,
    }),
    ...(notBeforeInSeconds === undefined ? {} : { nbf: now + notBeforeInSeconds }),
    ...(design === "v1" || options.email === undefined ? {} : { email: options.email }),
    ...(design === "v1" || options.planType === undefined ? {} : { plan_type: options.planType }),
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
