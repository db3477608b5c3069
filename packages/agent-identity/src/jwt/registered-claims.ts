import {
  JwtAudienceMismatch,
  JwtClaimInvalid,
  JwtExpired,
  JwtIssuerMismatch,
  JwtNotYetValid,
} from "../errors/index.ts";
import type { JsonObject } from "../encoding/json.ts";
import { describeType } from "../encoding/text.ts";

/** The issuer, audience and time that a token is checked against. */
export interface ExpectedClaims {
  readonly issuer: string;
  readonly audience: string;
  readonly toleranceMs: number;
  readonly nowMs: number;
}

/** When a valid token expires and was issued, in milliseconds since the epoch. */
export interface Lifetime {
  readonly expiresAtMs: number;
  readonly issuedAtMs?: number;
}

/** Why the registered claims were rejected. */
export type RegisteredClaimsError =
  | JwtAudienceMismatch
  | JwtClaimInvalid
  | JwtExpired
  | JwtIssuerMismatch
  | JwtNotYetValid;

/** The last second that a Date can hold. */
const maxSeconds = 8_640_000_000_000;
const expectedDate = "a number of seconds since the epoch";

/** A NumericDate (RFC 7519 §2) in milliseconds; fractions of seconds are legal. */
const dateMs = (claims: JsonObject, claim: string): number | undefined | JwtClaimInvalid => {
  const value = claims[claim];
  if (value === undefined) return undefined;
  return typeof value === "number" && Math.abs(value) <= maxSeconds
    ? value * 1000
    : new JwtClaimInvalid({ claim, expected: expectedDate, found: describeType(value) });
};

/** `exp`, required (docs/protocol.md §6), in milliseconds since the epoch. */
export const readExpiry = (claims: JsonObject): number | JwtClaimInvalid =>
  dateMs(claims, "exp") ??
  new JwtClaimInvalid({ claim: "exp", expected: expectedDate, found: "nothing" });

const audiencesOf = (value: unknown): ReadonlyArray<string> => {
  const list = Array.isArray(value) ? value : [value];
  return list.filter((entry): entry is string => typeof entry === "string");
};

/** Checks `iss`, `aud`, `exp`, `nbf` and the type of `iat` (RFC 7519 §4.1). The signature must have been verified. */
export const checkRegisteredClaims = (
  claims: JsonObject,
  expected: ExpectedClaims,
): Lifetime | RegisteredClaimsError => {
  const { issuer, audience, toleranceMs, nowMs } = expected;
  const { iss } = claims;
  if (iss !== issuer) {
    return new JwtIssuerMismatch({ expected: issuer, found: typeof iss === "string" ? iss : null });
  }
  const audiences = audiencesOf(claims["aud"]);
  if (!audiences.includes(audience)) {
    return new JwtAudienceMismatch({ expected: audience, found: audiences });
  }
  const expiresAtMs = readExpiry(claims);
  if (typeof expiresAtMs !== "number") return expiresAtMs;
  const notBeforeMs = dateMs(claims, "nbf") ?? Number.NEGATIVE_INFINITY;
  if (typeof notBeforeMs !== "number") return notBeforeMs;
  const issuedAtMs = dateMs(claims, "iat");
  if (typeof issuedAtMs === "object") return issuedAtMs;
  if (nowMs >= expiresAtMs + toleranceMs) return new JwtExpired({ expiresAtMs, nowMs });
  if (nowMs < notBeforeMs - toleranceMs) return new JwtNotYetValid({ notBeforeMs, nowMs });
  return issuedAtMs === undefined ? { expiresAtMs } : { expiresAtMs, issuedAtMs };
};
