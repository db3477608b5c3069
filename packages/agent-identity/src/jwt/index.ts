import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import {
  type JwksError,
  JwtSignatureInvalid,
  type JwtVerificationError,
  JwksKeyNotFound,
} from "../errors/index.ts";
import { type AgentIdentityJwtHeader, decodeUnverifiedJws, isShapeError } from "./compact-jws.ts";
import { checkTimeOption } from "../options/numbers.ts";
import { checkRegisteredClaims, readExpiry } from "./registered-claims.ts";
import { isSignedBy, problemOfKey } from "./rs256.ts";
import { JwksSource } from "../jwks/index.ts";
import { type AgentIdentityRecord, parseAgentIdentityClaims } from "../record/index.ts";

export type { AgentIdentityJwtHeader } from "./compact-jws.ts";

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
  const { header, unverifiedClaims } = jws;
  const expiresAtMs = readExpiry(unverifiedClaims);
  if (typeof expiresAtMs !== "number") return yield* expiresAtMs;
  const nowMs = yield* Clock.currentTimeMillis;
  const unverifiedRecord = yield* parseAgentIdentityClaims(unverifiedClaims, { nowMs });
  return { header, unverifiedRecord, expiresAtMs };
});

/**
 * Verifies an agent identity JWT (docs/protocol.md §6; RFC 7515, 7519, 8725): compact JWS, RS256 with the key that the
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
  const jws = decodeUnverifiedJws(textOf(jwt));
  if (isShapeError(jws)) return yield* jws;
  const source = yield* JwksSource;
  const { kid, key } = yield* source.key(jws.header.kid);
  const because = problemOfKey(key);
  if (because !== null) return yield* new JwksKeyNotFound({ kid, because });
  const isSigned = yield* Effect.promise(() => isSignedBy(jws, key));
  if (!isSigned) return yield* new JwtSignatureInvalid({ kid });
  const claims = jws.unverifiedClaims;
  const nowMs = yield* Clock.currentTimeMillis;
  const issuer = options?.issuer ?? defaultIssuer;
  const audience = options?.audience ?? defaultAudience;
  const lifetime = checkRegisteredClaims(claims, { issuer, audience, toleranceMs, nowMs });
  if ("_tag" in lifetime) return yield* lifetime;
  const record = yield* parseAgentIdentityClaims(claims, { nowMs });
  return { record, kid, issuer, audience, ...lifetime };
});
