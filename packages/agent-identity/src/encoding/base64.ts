const standard = /^[A-Za-z0-9+/]*={0,2}$/;
const url = /^[A-Za-z0-9_-]*$/;

/**
 * Bytes of standard, padded base64 (RFC 4648 §4), or null. Strict: no white space, no missing padding, no stray bits,
 * so that one value has exactly one encoding.
 *
 * @example
 * ```ts
 * import { decodeBase64 } from "@agent-auth/agent-identity/encoding";
 *
 * decodeBase64("aGk="); // 2 bytes
 * decodeBase64("aGk"); // null: the padding is missing
 * ```
 */
export const decodeBase64 = (text: string): Buffer | null => {
  if (text.length % 4 !== 0 || !standard.test(text)) return null;
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
};

/** Whether a text consists of the characters of base64url (RFC 4648 §5), without padding. */
export const isBase64UrlAlphabet = (text: string): boolean => url.test(text);

const urlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** By length modulo 4: the bits of the last character that no byte uses. A single character cannot hold a byte. */
const unusedBits = [0, null, 0b1111, 0b11];

/** Whether a text of that alphabet is what an encoder writes: a valid length, and no stray bits at its end. */
const isCanonicalBase64Url = (text: string): boolean => {
  const unused = unusedBits[text.length % 4] ?? null;
  return unused !== null && (urlAlphabet.indexOf(text.at(-1) ?? "A") & unused) === 0;
};

/**
 * Bytes of unpadded base64url (RFC 7515 §2), or null; as strict as `decodeBase64`. Other characters are rejected before
 * Node's decoder sees them: it skips some, and reads only the low byte of those beyond Latin-1, so `ť` (U+0165) would
 * decode like `e`.
 *
 * @example
 * ```ts
 * import { decodeBase64Url } from "@agent-auth/agent-identity/encoding";
 *
 * decodeBase64Url("aGk"); // 2 bytes
 * ```
 */
export const decodeBase64Url = (text: string): Buffer | null =>
  isBase64UrlAlphabet(text) && isCanonicalBase64Url(text) ? Buffer.from(text, "base64url") : null;
