import type { ChatgptCredential, CredentialFacts } from "./index.ts";

/** Milliseconds before the access token of a ChatGPT sign-in expires at which a refresh is due (docs/protocol.md §9). */
export const refreshAheadMs = 600_000;

/** Milliseconds after the last refresh at which one is due if the access token has no `exp` (docs/protocol.md §9). */
const maxRefreshAgeMs = 8 * 24 * 3_600_000;

/** Milliseconds before a token of a workload identity expires at which another exchange is due (docs/protocol.md §14). */
export const exchangeAheadMs = 120_000;

/** Milliseconds past `exp` for which an agent identity JWT still verifies (docs/protocol.md §6). */
const jwtClockToleranceMs = 60_000;

/**
 * Returns when a newer credential is due, in milliseconds since the epoch; `Infinity` if never.
 *
 * - A ChatGPT sign-in is due for a *refresh* ten minutes before its access token expires or, if the token has no `exp`,
 *   eight days after the last refresh.
 * - An agent identity JWT is due for a *reload* of its source when it no longer verifies: 60 s after its `exp`. Requests
 *   are signed with the agent's key, so the JWT does not have to be replaced earlier.
 * - A token of a workload identity is due for another *exchange* two minutes before it expires, or after half of its life
 *   if that is later.
 * - A credential of a ChatGPT workspace is also due when the backend has to be asked again about the workspace.
 * - Other credentials are replaced only after a 401, or by the program that supplied them.
 *
 * @example
 * ```ts
 * import type { Credential } from "@agent-auth/login/credential";
 * import { dueAtMs } from "@agent-auth/login/credential/expiry";
 *
 * const needsManager = (credential: Credential): boolean => Date.now() >= dueAtMs(credential);
 * ```
 */
export const dueAtMs = (credential: CredentialFacts): number => {
  switch (credential._tag) {
    case "AgentIdentity":
      return credential.expiresAtMs === undefined
        ? Infinity
        : credential.expiresAtMs + jwtClockToleranceMs;
    case "Chatgpt":
      return Math.min(refreshDueAtMs(credential), credential.workspace?.checkAgainAtMs ?? Infinity);
    case "ExternalChatgpt":
    case "PersonalAccessToken":
      return credential.workspace?.checkAgainAtMs ?? Infinity;
    case "WorkloadIdentity": {
      const { expiresAtMs, obtainedAtMs, workspace } = credential;
      const exchangeAtMs =
        expiresAtMs - Math.min(exchangeAheadMs, (expiresAtMs - obtainedAtMs) / 2);
      return Math.min(exchangeAtMs, workspace?.checkAgainAtMs ?? Infinity);
    }
    default:
      return Infinity;
  }
};

const refreshDueAtMs = ({ expiresAtMs, lastRefreshMs }: ChatgptCredential): number => {
  if (expiresAtMs !== undefined) return expiresAtMs - refreshAheadMs;
  return lastRefreshMs === undefined ? Infinity : lastRefreshMs + maxRefreshAgeMs;
};

/** Codex refreshes five minutes before expiry. Half a minute earlier is soon enough to refresh first. */
const aheadOfCodexMs = 330_000;

/** A new token is used for at least this long, so that a wrong clock does not cause a refresh for each request. */
const shortestLifeMs = 30_000;

/**
 * Returns when a refresh is due again, in milliseconds since the epoch, for the tokens of a refresh that ended at
 * `refreshedAtMs`. That is {@link dueAtMs} if the access token lives for 20 minutes or longer. A token with a shorter
 * life is due after half of its life or, if that is earlier, five and a half minutes before it expires, because Codex
 * refreshes at five. A token that lives for less than five and a half minutes is due after half of its life. Every
 * token is used for at least 30 s, even if it has already expired by this clock.
 *
 * @example
 * ```ts
 * import type { Credential } from "@agent-auth/login/credential";
 * import { dueAfterRefreshMs } from "@agent-auth/login/credential/expiry";
 *
 * const dueAgainAtMs = (credential: Credential): number => dueAfterRefreshMs(credential, Date.now());
 * ```
 */
export const dueAfterRefreshMs = (credential: CredentialFacts, refreshedAtMs: number): number => {
  const lifeMs = (expiresAtMs(credential) ?? Infinity) - refreshedAtMs;
  if (lifeMs >= 2 * refreshAheadMs) return dueAtMs(credential);
  const spareMs = lifeMs > aheadOfCodexMs ? lifeMs - aheadOfCodexMs : lifeMs;
  return refreshedAtMs + Math.max(Math.min(lifeMs / 2, spareMs), shortestLifeMs);
};

/**
 * Returns whether a newer credential is due at `nowMs` (milliseconds since the epoch); see {@link dueAtMs}.
 *
 * @example
 * ```ts
 * import type { Credential } from "@agent-auth/login/credential";
 * import { isDue } from "@agent-auth/login/credential/expiry";
 *
 * const isFresh = (credential: Credential): boolean => !isDue(credential, Date.now());
 * ```
 */
export const isDue = (credential: CredentialFacts, nowMs: number): boolean =>
  nowMs >= dueAtMs(credential);

/**
 * Returns when the credential expires, in milliseconds since the epoch; `undefined` if it does not say.
 *
 * @example
 * ```ts
 * import type { Credential } from "@agent-auth/login/credential";
 * import { expiresAtMs } from "@agent-auth/login/credential/expiry";
 *
 * const describe = (credential: Credential): string => {
 *   const at = expiresAtMs(credential);
 *   return at === undefined ? "no expiry" : new Date(at).toISOString();
 * };
 * ```
 */
export const expiresAtMs = (credential: CredentialFacts): number | undefined =>
  "expiresAtMs" in credential ? credential.expiresAtMs : undefined;

/**
 * Returns whether a server would reject the credential because of its age at `nowMs` (milliseconds since the epoch).
 * False if the credential does not say when it expires.
 *
 * @example
 * ```ts
 * import type { Credential } from "@agent-auth/login/credential";
 * import { isExpired } from "@agent-auth/login/credential/expiry";
 *
 * const mayBeSent = (credential: Credential): boolean => !isExpired(credential, Date.now());
 * ```
 */
export const isExpired = (credential: CredentialFacts, nowMs: number): boolean => {
  const at = expiresAtMs(credential);
  return at !== undefined && at <= nowMs;
};
