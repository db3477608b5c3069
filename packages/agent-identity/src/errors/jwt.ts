import * as Data from "effect/Data";
import { oneLine } from "../encoding/printable.ts";

/** Not a compact JWS (RFC 7515 §7.1) with a JSON object as payload. */
export class JwtFormatInvalid extends Data.TaggedError("JwtFormatInvalid")<{
  readonly problem: string;
}> {
  readonly reason = "format";
  readonly code = "AGENT_IDENTITY_JWT_FORMAT_INVALID";
  readonly hint = "Pass the whole agent identity JWT, and nothing else.";
  override get message() {
    return `invalid agent identity JWT format: ${this.problem}`;
  }
}

/** The protected header is no JSON object, or a parameter in it has the wrong type. */
export class JwtHeaderUndecodable extends Data.TaggedError("JwtHeaderUndecodable")<{
  readonly problem: string;
}> {
  readonly reason = "format";
  readonly code = "AGENT_IDENTITY_JWT_HEADER_UNDECODABLE";
  readonly hint = "Pass the whole agent identity JWT, and nothing else.";
  override get message() {
    return `failed to decode agent identity JWT header: ${this.problem}`;
  }
}

/** Signed with, or claiming, another algorithm than RS256. */
export class JwtAlgorithmNotAllowed extends Data.TaggedError("JwtAlgorithmNotAllowed")<{
  readonly expected: "RS256";
  readonly found: string;
}> {
  readonly reason = "algorithm";
  readonly code = "AGENT_IDENTITY_JWT_ALGORITHM_NOT_ALLOWED";
  readonly hint = "Get a token from the authority; this one was not made by it.";
  override get message() {
    return `failed to verify agent identity JWT: its algorithm is ${oneLine(this.found, 32)}, not ${this.expected}`;
  }
}

/** The header asks for an extension that a verifier must understand (RFC 7515 §4.1.11), and we know none. */
export class JwtCriticalHeaderUnsupported extends Data.TaggedError("JwtCriticalHeaderUnsupported")<{
  readonly parameter: string;
}> {
  readonly reason = "header";
  readonly code = "AGENT_IDENTITY_JWT_CRITICAL_HEADER_UNSUPPORTED";
  readonly hint = "Get a token from the authority; this one was not made for us.";
  override get message() {
    return `failed to verify agent identity JWT: header parameter ${this.parameter} is not understood`;
  }
}

/** No key id, so no key. */
export class JwtKidMissing extends Data.TaggedError("JwtKidMissing") {
  readonly reason = "kid";
  readonly code = "AGENT_IDENTITY_JWT_KID_MISSING";
  readonly hint = "Get a token from the authority; this one names no key.";
  override get message() {
    return "agent identity JWT header does not include a kid";
  }
}

/** The set holds no key of this id that may verify RS256 signatures. */
export class JwksKeyNotFound extends Data.TaggedError("JwksKeyNotFound")<{
  readonly kid: string;
  /** Set where the set has such a key, but one that must not be used. */
  readonly because?: string;
}> {
  readonly reason = "kid";
  readonly code = "AGENT_IDENTITY_JWKS_KEY_NOT_FOUND";
  readonly hint = "Check that the base URL is the one of the authority that issued the token.";
  override get message() {
    const because = this.because === undefined ? "" : `: ${this.because}`;
    return `agent identity JWT kid ${oneLine(this.kid, 100)} is not trusted${because}`;
  }
}

/** The signature does not belong to header and payload under the key named by `kid`. */
export class JwtSignatureInvalid extends Data.TaggedError("JwtSignatureInvalid")<{
  readonly kid: string;
}> {
  readonly reason = "signature";
  readonly code = "AGENT_IDENTITY_JWT_SIGNATURE_INVALID";
  readonly hint = "Get a fresh token; this one was changed or cut on its way.";
  override get message() {
    return "failed to verify agent identity JWT: its signature is wrong";
  }
}

/** `exp` has passed, clock tolerance included. */
export class JwtExpired extends Data.TaggedError("JwtExpired")<{
  readonly expiresAtMs: number;
  readonly nowMs: number;
}> {
  readonly reason = "expired";
  readonly code = "AGENT_IDENTITY_JWT_EXPIRED";
  readonly hint = "Get a fresh token.";
  override get message() {
    return `failed to verify agent identity JWT: it expired at ${new Date(this.expiresAtMs).toISOString()}`;
  }
}

/** `nbf` has not come yet, clock tolerance included. */
export class JwtNotYetValid extends Data.TaggedError("JwtNotYetValid")<{
  readonly notBeforeMs: number;
  readonly nowMs: number;
}> {
  readonly reason = "notYetValid";
  readonly code = "AGENT_IDENTITY_JWT_NOT_YET_VALID";
  readonly hint = "Check the clock of this machine.";
  override get message() {
    return `failed to verify agent identity JWT: it is not valid before ${new Date(this.notBeforeMs).toISOString()}`;
  }
}

/** `iss` is another one, or absent (`found` is null). */
export class JwtIssuerMismatch extends Data.TaggedError("JwtIssuerMismatch")<{
  readonly expected: string;
  readonly found: string | null;
}> {
  readonly reason = "issuer";
  readonly code = "AGENT_IDENTITY_JWT_ISSUER_MISMATCH";
  readonly hint =
    "Use a token of the expected issuer, or configure the issuer of your own backend.";
  override get message() {
    const found = this.found === null ? "has no issuer" : `is from ${oneLine(this.found, 200)}`;
    return `failed to verify agent identity JWT: it ${found}, not from ${this.expected}`;
  }
}

/** `aud` does not name us; `found` holds whom it names. */
export class JwtAudienceMismatch extends Data.TaggedError("JwtAudienceMismatch")<{
  readonly expected: string;
  readonly found: ReadonlyArray<string>;
}> {
  readonly reason = "audience";
  readonly code = "AGENT_IDENTITY_JWT_AUDIENCE_MISMATCH";
  readonly hint = "Use a token that was issued for this audience.";
  override get message() {
    const found =
      this.found.length === 0 ? "nobody" : oneLine(this.found.slice(0, 8).join(", "), 200);
    return `failed to verify agent identity JWT: it is for ${found}, not for ${this.expected}`;
  }
}

/** A claim is absent or of the wrong shape. Kinds are told, never values. */
export class JwtClaimInvalid extends Data.TaggedError("JwtClaimInvalid")<{
  readonly claim: string;
  readonly expected: string;
  readonly found: string;
}> {
  readonly reason = "claim";
  readonly code = "AGENT_IDENTITY_JWT_CLAIM_INVALID";
  readonly hint = "Get a token from an authority that speaks this protocol.";
  override get message() {
    return `failed to verify agent identity JWT: claim ${this.claim} must be ${this.expected}, found ${this.found}`;
  }
}

/** Why a token is not believed. `reason` groups them coarsely; `code` is exact. */
export type JwtVerificationError =
  | JwtFormatInvalid
  | JwtHeaderUndecodable
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
