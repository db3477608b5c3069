import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { compactVerify } from "jose";
import { type JwksError, JwtSignatureInvalid, type JwtVerificationError } from "./errors.ts";
import {
  type AgentIdentityJwtHeader,
  decodeUnverifiedJws,
  findRepeatedClaim,
  isShapeError,
  isSignatureCanonical,
} from "./internal/compact-jws.ts";
import { checkTimeOption } from "./internal/option-number.ts";
import { checkRegisteredClaims, readExpiry } from "./internal/registered-claims.ts";
import { JwksSource, type TrustedKey } from "./jwks.ts";
import { type AgentIdentityRecord, parseAgentIdentityClaims } from "./record.ts";

export type { AgentIdentityJwtHeader } from "./internal/compact-jws.ts";

/** `iss` of agent identity JWTs. */
export const defaultIssuer = "https://chatgpt.com/codex-backend/agent-identity";
/** `aud` of agent identity JWTs. */
export const defaultAudience = "codex-app-server";
/** Seconds that clocks may disagree. */
export const defaultClockToleranceSeconds = 60;

/** What a token must say. A self-hosted backend may sign with its own issuer. */
export interface VerifyJwtOptions {
  /** Compared exactly. Default `defaultIssuer`. */
  readonly issuer?: string;
  /** Must be among the token's audiences. Default `defaultAudience`. */
  readonly audience?: string;
  /** Zero or more; default 60. */
  readonly clockToleranceSeconds?: number;
}

/** A token taken apart. Nothing of it may become an identity. */
export interface UnverifiedAgentIdentityJwt {
  readonly header: AgentIdentityJwtHeader;
  readonly unverifiedRecord: AgentIdentityRecord;
  /** `exp`, milliseconds since the epoch; may have passed. */
  readonly expiresAtMs: number;
}

/** An identity whose token was signed by a trusted key, for us, and is in force. */
export interface VerifiedAgentIdentity {
  readonly record: AgentIdentityRecord;
  /** The key that verified it. */
  readonly kid: string;
  readonly issuer: string;
  readonly audience: string;
  /** `exp`, milliseconds since the epoch, clock tolerance not added. */
  readonly expiresAtMs: number;
  /** `iat`, milliseconds since the epoch. */
  readonly issuedAtMs?: number;
}

const textOf = (jwt: string | Redacted.Redacted): string =>
  typeof jwt === "string" ? jwt : Redacted.value(jwt);

/**
 * Reads a token without trusting it: the shape check before a login asks the network. Header, format, `exp` and all
 * claims must be well-formed; signature, issuer, audience and time are *not* looked at. Fails with
 * `JwtVerificationError`.
 */
export const decodeUnverifiedAgentIdentityJwt = Effect.fnUntraced(function* (
  jwt: string | Redacted.Redacted,
): Effect.fn.Return<UnverifiedAgentIdentityJwt, JwtVerificationError> {
  const jws = decodeUnverifiedJws(textOf(jwt));
  if (isShapeError(jws)) return yield* jws;
  const repeated = findRepeatedClaim(jws);
  if (repeated !== undefined) return yield* repeated;
  const expiresAtMs = readExpiry(jws.unverifiedPayload.object);
  if (typeof expiresAtMs !== "number") return yield* expiresAtMs;
  const nowMs = yield* Clock.currentTimeMillis;
  const unverifiedRecord = yield* parseAgentIdentityClaims(jws.unverifiedPayload.object, { nowMs });
  return { header: jws.header, unverifiedRecord, expiresAtMs };
});

const rs256Only = { algorithms: ["RS256"] };

/** Whether jose finds the signature good. What it throws may quote the token, so only the fact is kept. */
const isSignedBy = (token: string, { key }: TrustedKey): Promise<boolean> =>
  compactVerify(token, key, rs256Only).then(
    () => true,
    () => false,
  );

/**
 * Verifies an agent identity JWT (PROTOCOL §6; RFC 7515, 7519, 8725): compact JWS, RS256 with the key that the
 * `JwksSource` has under its `kid`, `iss`, `aud`, `exp` (required), `nbf`, and the claims of either design. Keys that
 * the token offers itself are never looked at. The private key in it is carried along, not imported. Fails with
 * `JwtVerificationError`, whose `reason` and `code` say why, or `JwksError` where there is no set to ask. A tolerance that
 * is no number, negative or without end is a programmer's slip: it dies with `TypeError` or `RangeError`.
 */
export const verifyAgentIdentityJwt = Effect.fnUntraced(function* (
  jwt: string | Redacted.Redacted,
  options?: VerifyJwtOptions,
): Effect.fn.Return<VerifiedAgentIdentity, JwtVerificationError | JwksError, JwksSource> {
  const tolerance = options?.clockToleranceSeconds ?? defaultClockToleranceSeconds;
  const toleranceMs = checkTimeOption("clockToleranceSeconds", tolerance, { min: 0 }) * 1000;
  const token = textOf(jwt);
  const jws = decodeUnverifiedJws(token);
  if (isShapeError(jws)) return yield* jws;
  const source = yield* JwksSource;
  const trusted = yield* source.key(jws.header.kid);
  const signature = isSignedBy(token, trusted);
  // The signature is checked on another thread; the claims are read meanwhile, and believed after it only.
  const claims = jws.unverifiedPayload.object;
  const nowMs = yield* Clock.currentTimeMillis;
  const issuer = options?.issuer ?? defaultIssuer;
  const audience = options?.audience ?? defaultAudience;
  const repeated = findRepeatedClaim(jws);
  const lifetime = checkRegisteredClaims(claims, { issuer, audience, toleranceMs, nowMs });
  const unverifiedRecord = parseAgentIdentityClaims(claims, { nowMs });
  const isSigned = isSignatureCanonical(jws) && (yield* Effect.promise(() => signature));
  if (repeated !== undefined) return yield* repeated;
  if (!isSigned) return yield* new JwtSignatureInvalid({ kid: trusted.kid });
  if ("_tag" in lifetime) return yield* lifetime;
  const record = yield* unverifiedRecord;
  return { record, kid: trusted.kid, issuer, audience, ...lifetime };
});
