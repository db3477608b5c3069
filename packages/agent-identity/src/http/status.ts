/**
 * Returns whether a response status is 2xx.
 *
 * @example
 * ```ts
 * import { isSuccessStatus } from "@agent-auth/agent-identity/http";
 *
 * isSuccessStatus(204); // true
 * isSuccessStatus(304); // false
 * ```
 */
export const isSuccessStatus = (status: number): boolean => status >= 200 && status < 300;

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Returns whether a response status is a redirect (RFC 9110 §15.4).
 *
 * @example
 * ```ts
 * import { isRedirectStatus } from "@agent-auth/agent-identity/http";
 *
 * isRedirectStatus(302); // true
 * isRedirectStatus(304); // false
 * ```
 */
export const isRedirectStatus = (status: number): boolean => redirects.has(status);

/**
 * Returns whether a response status means that the same request may succeed later: 429 or 5xx.
 *
 * @example
 * ```ts
 * import { isTransientStatus } from "@agent-auth/agent-identity/http";
 *
 * isTransientStatus(503); // true
 * isTransientStatus(404); // false
 * ```
 */
export const isTransientStatus = (status: number): boolean => status === 429 || status >= 500;
