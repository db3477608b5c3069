import { createHash, timingSafeEqual } from "node:crypto";

/**
 * Returns the SHA-256 of a text (as UTF-8) or of bytes: 32 bytes.
 *
 * @example
 * ```ts
 * import { sha256 } from "@agent-auth/agent-identity/keys/same-secret";
 *
 * sha256("secret").toString("hex"); // "2bb80d53…"
 * ```
 */
export const sha256 = (text: string | Uint8Array): Buffer =>
  createHash("sha256").update(text).digest();

/**
 * Returns whether a text has this SHA-256, compared in constant time. Throws if `expected` does not have 32 bytes.
 *
 * @example
 * ```ts
 * import { hasSha256, sha256 } from "@agent-auth/agent-identity/keys/same-secret";
 *
 * const expected = sha256("secret"); // once
 * hasSha256("guess", expected); // false
 * ```
 */
export const hasSha256 = (given: string, expected: Uint8Array): boolean =>
  timingSafeEqual(sha256(given), expected);

/**
 * Returns whether two secrets are the same text. The time depends neither on how much of `given` is right nor on the length
 * of `expected`.
 *
 * @example
 * ```ts
 * import { isSameSecret } from "@agent-auth/agent-identity/keys/same-secret";
 *
 * isSameSecret("guess", "secret"); // false
 * ```
 */
export const isSameSecret = (given: string, expected: string): boolean =>
  hasSha256(given, sha256(expected));
