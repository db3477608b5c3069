import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import {
  type AgentKeyMalformed,
  type JwksError,
  JwksKeyNotFound,
  JwksMalformed,
  JwtSignatureInvalid,
  type JwtVerificationError,
} from "../errors/index.ts";
import { describeType } from "../encoding/text.ts";
import { JwksSource, type TrustedKey } from "../jwks/index.ts";
import { type AgentKey, parseAgentKey } from "../keys/agent-key.ts";
import { checkTimeOption } from "../number-options.ts";
import { type AgentIdentityRecord, parseAgentIdentityClaims } from "../record/index.ts";
import { type AgentIdentityJwtHeader, decodeUnverifiedJws, isShapeError } from "./compact-jws.ts";
import { checkRegisteredClaims, readExpiry } from "./registered-claims.ts";
import { isSignedBy, problemOfKey } from "./signature.ts";

export type { AgentIdentityJwtHeader } from "./compact-jws.ts";

/** `iss` of agent identity JWTs. */
export const defaultIssuer = "https://chatgpt.com/codex-backend/agent-identity";
/** `aud` of agent identity JWTs. */
export const defaultAudience = "codex-app-server";
/** Clock tolerance in seconds. */
export const defaultClockToleranceSeconds = 60;

/** What a token must contain. A self-hosted backend may sign with its own issuer. */
export interface VerifyJwtOptions {
  /** Compared exactly. Default `defaultIssuer`. */
  readonly issuer?: string;
  /** Must be among the token's audiences. Default `defaultAudience`. */
  readonly audience?: string;
  /** Zero or more; default 60. */
  readonly clockToleranceSeconds?: number;
}

/** A decoded token. Nothing in it has been verified, so it must not be used as an identity. */
export interface UnverifiedAgentIdentityJwt {
  readonly header: AgentIdentityJwtHeader;
  readonly unverifiedRecord: AgentIdentityRecord;
  /** `exp`, milliseconds since the epoch; may be in the past. */
  readonly expiresAtMs: number;
}

/** An identity from a token that was signed by a trusted key for the expected audience and is currently valid. */
export interface VerifiedAgentIdentity {
  readonly record: AgentIdentityRecord;
  /** The private key of `record`, imported. */
  readonly key: AgentKey;
  /** `kid` of the key that verified the token. */
  readonly kid: string;
  readonly issuer: string;
  readonly audience: string;
  /** `exp`, milliseconds since the epoch, without clock tolerance. */
  readonly expiresAtMs: number;
  /** `iat`, milliseconds since the epoch. */
  readonly issuedAtMs?: number;
}

const textOf = (jwt: unknown): unknown => (Redacted.isRedacted(jwt) ? Redacted.value(jwt) : jwt);

/**
 * Decodes a token without verifying it and without any request. Header, format, `exp` and all claims must be
 * well-formed; signature, issuer, audience and time are *not* checked, and the private key is not imported. Fails with
 * `JwtVerificationError`.
 *
 * @example
 * ```ts
 * import { decodeUnverifiedAgentIdentityJwt } from "@agent-auth/agent-identity/jwt";
 * import * as Effect from "effect/Effect";
 *
 * const program = decodeUnverifiedAgentIdentityJwt("not.a.jwt").pipe(
 *   Effect.map(({ unverifiedRecord }) => unverifiedRecord.accountId),
 *   Effect.catchTag("JwtHeaderMalformed", (error) => Effect.succeed(error.message)),
 * );
 * await Effect.runPromise(program);
 * ```
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

/** A custom `JwksSource` may return anything, so its result is checked before it is used. */
const checkTrustedKey = (
  kid: string,
  found: unknown,
): TrustedKey["key"] | JwksKeyNotFound | JwksMalformed => {
  const trusted = Object(found);
  const key: unknown = Reflect.get(trusted, "key");
  if (!(key instanceof CryptoKey)) {
    const problem = `the JwksSource must return a CryptoKey, found ${describeType(key)}`;
    return new JwksMalformed({ url: null, problem });
  }
  const problem =
    Reflect.get(trusted, "kid") === kid
      ? problemOfKey(key)
      : "the JwksSource returned the key of another kid";
  return problem === null ? key : new JwksKeyNotFound({ kid, problem });
};

const textOption = (name: string, value: string): string => {
  if (typeof value === "string") return value;
  throw new TypeError(`${name} must be a string`);
};

/**
 * Verifies an agent identity JWT (docs/protocol.md §6; RFC 7515, 7519, 8725): compact JWS, RS256 with the key that the
 * `JwksSource` has for its `kid`, `iss`, `aud`, `exp` (required), `nbf`, and the claims of either design. The shape of
 * the token is checked before the `JwksSource` is asked, so that a malformed token causes no request. Keys in the token's
 * own header are never used. The private key in the token is imported: the token is rejected if it is not an Ed25519 key.
 *
 * Fails with `JwtVerificationError`, whose `reason` and `code` say why, `AgentKeyMalformed`, or `JwksError` if no JWKS is
 * available. Dies with `TypeError` or `RangeError` if an option has the wrong type or range.
 *
 * @example
 * ```ts
 * import { JwksSource } from "@agent-auth/agent-identity/jwks";
 * import { verifyAgentIdentityJwt } from "@agent-auth/agent-identity/jwt";
 * import * as Effect from "effect/Effect";
 *
 * const program = verifyAgentIdentityJwt("not.a.jwt").pipe(
 *   Effect.map(({ record }) => `signed in as ${record.accountId}`),
 *   Effect.catch((error) => Effect.succeed(`${error.message}. ${error.hint}`)),
 *   Effect.provide(JwksSource.layerStatic({ keys: [] })),
 * );
 * await Effect.runPromise(program);
 * ```
 */
export const verifyAgentIdentityJwt = Effect.fnUntraced(function* (
  jwt: string | Redacted.Redacted,
  options: VerifyJwtOptions = {},
): Effect.fn.Return<
  VerifiedAgentIdentity,
  JwtVerificationError | JwksError | AgentKeyMalformed,
  JwksSource
> {
  const issuer = textOption("issuer", options.issuer ?? defaultIssuer);
  const audience = textOption("audience", options.audience ?? defaultAudience);
  const tolerance = options.clockToleranceSeconds ?? defaultClockToleranceSeconds;
  const toleranceMs = checkTimeOption("clockToleranceSeconds", tolerance, { min: 0 }) * 1000;
  const jws = decodeUnverifiedJws(textOf(jwt));
  if (isShapeError(jws)) return yield* jws;
  const { kid } = jws.header;
  const claims = jws.unverifiedClaims;
  const expiresAtMs = readExpiry(claims);
  if (typeof expiresAtMs !== "number") return yield* expiresAtMs;
  const decodedAtMs = yield* Clock.currentTimeMillis;
  const record = yield* parseAgentIdentityClaims(claims, { nowMs: decodedAtMs });
  const source = yield* JwksSource;
  const publicKey = checkTrustedKey(kid, yield* source.key(kid));
  if ("_tag" in publicKey) return yield* publicKey;
  const isSigned = yield* Effect.promise(() => isSignedBy(jws, publicKey));
  if (!isSigned) return yield* new JwtSignatureInvalid({ kid });
  const nowMs = yield* Clock.currentTimeMillis;
  const lifetime = checkRegisteredClaims(claims, { issuer, audience, toleranceMs, nowMs });
  if ("_tag" in lifetime) return yield* lifetime;
  const key = parseAgentKey(record.privateKey);
  if ("_tag" in key) return yield* key;
  return { record, key, kid, issuer, audience, ...lifetime };
});
