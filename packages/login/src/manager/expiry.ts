import type { Credential } from "../credential.ts";
import type { RefreshReason } from "./types.ts";

const minute = 60_000;
const expiryMarginMs = 5 * minute;
const maxAgeMs = 8 * 24 * 60 * minute;
/** What verification tolerates (docs/protocol.md §6): up to then a JWT verifies although its `exp` has passed. */
const clockToleranceMs = minute;
const retryMs = minute / 2;

/**
 * From when on a newer credential is looked for, milliseconds since the epoch: five minutes before the access token
 * of a ChatGPT sign-in expires or, where it does not say, eight days after its last refresh (docs/protocol.md §9);
 * when an agent identity JWT no longer verifies. Other kinds are never renewed on their own account.
 */
export const renewalDueAtMs = (credential: Credential): number => {
  if (credential._tag === "AgentIdentity") {
    return credential.expiresAtMs === undefined
      ? Infinity
      : credential.expiresAtMs + clockToleranceMs;
  }
  if (credential._tag !== "Chatgpt") return Infinity;
  if (credential.expiresAtMs !== undefined) return credential.expiresAtMs - expiryMarginMs;
  return credential.lastRefreshMs === undefined ? Infinity : credential.lastRefreshMs + maxAgeMs;
};

/** Whether a request would be refused for the credential's age, as far as it says. */
export const isExpired = (credential: Credential, nowMs: number): boolean =>
  "expiresAtMs" in credential &&
  credential.expiresAtMs !== undefined &&
  credential.expiresAtMs <= nowMs;

/**
 * When to try again after a renewal that failed or brought nothing that lasts: in half a minute, or sooner, where the
 * credential expires sooner. What has expired already has to wait as well: by a clock that is ahead, every new access
 * token has, and each call would spend a refresh token.
 */
export const nextRenewalAtMs = (credential: Credential, nowMs: number): number => {
  const expiresAtMs = "expiresAtMs" in credential ? credential.expiresAtMs : undefined;
  const isAhead = expiresAtMs !== undefined && expiresAtMs > nowMs;
  return isAhead ? Math.min(nowMs + retryMs, expiresAtMs) : nowMs + retryMs;
};

/** Why a due sign-in is refreshed: the token's own expiry, or its age. */
export const renewalReason = (credential: Credential): RefreshReason =>
  "expiresAtMs" in credential && credential.expiresAtMs !== undefined
    ? "proactive_expiry"
    : "scheduled";
