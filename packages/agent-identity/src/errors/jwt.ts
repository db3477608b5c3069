import * as Data from "effect/Data";
import { toSingleLine } from "../encoding/text.ts";
import type { Remedy } from "./remedy.ts";

const verificationFailed = "failed to verify agent identity JWT";

/** The token is not a compact JWS (RFC 7515 §7.1) with a JSON object as payload. */
export class JwtFormatInvalid extends Data.TaggedError("JwtFormatInvalid")<{
  readonly problem: string;
}> {
  readonly reason = "format";
  readonly code = "AGENT_IDENTITY_JWT_FORMAT_INVALID";
  readonly hint = "Pass the whole agent identity JWT, and nothing else.";
  readonly remedy: Remedy = "fixInput";
  override get message() {
    return `invalid agent identity JWT format: ${this.problem}`;
  }
}

/** The protected header is not a JSON object, or one of its parameters has the wrong type. */
export class JwtHeaderMalformed extends Data.TaggedError("JwtHeaderMalformed")<{
  readonly problem: string;
}> {
  readonly reason = "format";
  readonly code = "AGENT_IDENTITY_JWT_HEADER_MALFORMED";
  readonly hint = "Pass the whole agent identity JWT, and nothing else.";
  readonly remedy: Remedy = "fixInput";
  override get message() {
    return `failed to decode agent identity JWT header: ${this.problem}`;
  }
}

/** The header's `alg` is not RS256. */
export class JwtAlgorithmNotAllowed extends Data.TaggedError("JwtAlgorithmNotAllowed")<{
  readonly expected: "RS256";
  readonly found: string;
}> {
  readonly reason = "algorithm";
  readonly code = "AGENT_IDENTITY_JWT_ALGORITHM_NOT_ALLOWED";
  readonly hint = "Get a new token from the authority.";
  readonly remedy: Remedy = "signIn";
  override get message() {
    return `${verificationFailed}: algorithm ${toSingleLine(this.found, 32)} is not allowed, expected ${this.expected}`;
  }
}

/** The header has a `crit` parameter (RFC 7515 §4.1.11); no critical extension is supported. */
export class JwtCriticalHeaderUnsupported extends Data.TaggedError("JwtCriticalHeaderUnsupported")<{
  readonly parameter: string;
}> {
  readonly reason = "header";
  readonly code = "AGENT_IDENTITY_JWT_CRITICAL_HEADER_UNSUPPORTED";
  readonly hint = "Get a new token from the authority.";
  readonly remedy: Remedy = "signIn";
  override get message() {
    return `${verificationFailed}: critical header not supported: ${this.parameter}`;
  }
}

/** The header has no `kid`, so no key can be looked up. */
export class JwtKidMissing extends Data.TaggedError("JwtKidMissing") {
  readonly reason = "kid";
  readonly code = "AGENT_IDENTITY_JWT_KID_MISSING";
  readonly hint = "Get a new token from the authority.";
  readonly remedy: Remedy = "signIn";
  override get message() {
    return "agent identity JWT header does not include a kid";
  }
}

/** The JWKS has no key with this `kid` that may verify RS256 signatures. */
export class JwksKeyNotFound extends Data.TaggedError("JwksKeyNotFound")<{
  readonly kid: string;
  /** Why the key with this `kid` must not be used; absent if the set has no such key. */
  readonly problem?: string;
}> {
  readonly reason = "kid";
  readonly code = "AGENT_IDENTITY_JWKS_KEY_NOT_FOUND";
  readonly hint =
    "Check that the configured base URL belongs to the authority that issued the token.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    const problem = this.problem === undefined ? "" : `: ${this.problem}`;
    return `agent identity JWT kid ${toSingleLine(this.kid, 100)} is not trusted${problem}`;
  }
}

/** The signature does not verify with the key named by `kid`. */
export class JwtSignatureInvalid extends Data.TaggedError("JwtSignatureInvalid")<{
  readonly kid: string;
}> {
  readonly reason = "signature";
  readonly code = "AGENT_IDENTITY_JWT_SIGNATURE_INVALID";
  readonly hint = "Get a new token; this one was changed or truncated after it was signed.";
  readonly remedy: Remedy = "signIn";
  override get message() {
    return `${verificationFailed}: invalid signature`;
  }
}

/** `exp` has passed, clock tolerance included. */
export class JwtExpired extends Data.TaggedError("JwtExpired")<{
  readonly expiresAtMs: number;
  readonly nowMs: number;
}> {
  readonly reason = "expired";
  readonly code = "AGENT_IDENTITY_JWT_EXPIRED";
  readonly hint = "Get a new token.";
  readonly remedy: Remedy = "signIn";
  override get message() {
    return `${verificationFailed}: token expired at ${new Date(this.expiresAtMs).toISOString()}`;
  }
}

/** `nbf` is in the future, clock tolerance included. */
export class JwtNotYetValid extends Data.TaggedError("JwtNotYetValid")<{
  readonly notBeforeMs: number;
  readonly nowMs: number;
}> {
  readonly reason = "notYetValid";
  readonly code = "AGENT_IDENTITY_JWT_NOT_YET_VALID";
  readonly hint = "Check the clock of this machine.";
  readonly remedy: Remedy = "retry";
  override get message() {
    return `${verificationFailed}: token is not valid before ${new Date(this.notBeforeMs).toISOString()}`;
  }
}

/** `iss` is not the expected issuer; `found` is null if the claim is absent. */
export class JwtIssuerMismatch extends Data.TaggedError("JwtIssuerMismatch")<{
  readonly expected: string;
  readonly found: string | null;
}> {
  readonly reason = "issuer";
  readonly code = "AGENT_IDENTITY_JWT_ISSUER_MISMATCH";
  readonly hint =
    "Use a token of the expected issuer, or configure the issuer of your own backend.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    const found = this.found === null ? "no issuer" : toSingleLine(this.found, 200);
    return `${verificationFailed}: issuer mismatch: expected ${this.expected}, found ${found}`;
  }
}

/** `aud` does not include the expected audience; `found` lists what it includes. */
export class JwtAudienceMismatch extends Data.TaggedError("JwtAudienceMismatch")<{
  readonly expected: string;
  readonly found: ReadonlyArray<string>;
}> {
  readonly reason = "audience";
  readonly code = "AGENT_IDENTITY_JWT_AUDIENCE_MISMATCH";
  readonly hint = "Use a token that was issued for this audience.";
  readonly remedy: Remedy = "signIn";
  override get message() {
    const found =
      this.found.length === 0
        ? "no audience"
        : toSingleLine(this.found.slice(0, 8).join(", "), 200);
    return `${verificationFailed}: audience mismatch: expected ${this.expected}, found ${found}`;
  }
}

/** A claim is absent or has the wrong shape. Types are reported, never values. */
export class JwtClaimInvalid extends Data.TaggedError("JwtClaimInvalid")<{
  readonly claim: string;
  readonly expected: string;
  readonly found: string;
}> {
  readonly reason = "claim";
  readonly code = "AGENT_IDENTITY_JWT_CLAIM_INVALID";
  readonly hint = "Get a token from an authority that issues agent identity JWTs.";
  readonly remedy: Remedy = "signIn";
  override get message() {
    return `${verificationFailed}: claim ${this.claim} must be ${this.expected}, found ${this.found}`;
  }
}

/** Why a token was rejected. `reason` is the category, `code` is exact. */
export type JwtVerificationError =
  | JwtFormatInvalid
  | JwtHeaderMalformed
  | JwtAlgorithmNotAllowed
  | JwtCriticalHeaderUnsupported
  | JwtKidMissing
  | JwksKeyNotFound
  | JwtSignatureInvalid
  | JwtExpired
  | JwtNotYetValid
  | JwtIssuerMismatch
  | JwtAudienceMismatch
  | JwtClaimInvalid;
