// Node's decoder is lenient: it skips some characters, and reads only the low byte of those beyond Latin-1, so that `ť`
// (U+0165) decodes like `e`. Bytes have one encoding, so a text that is not the encoding of its bytes is rejected. Encoding
// them again takes half as long as a regular expression for the alphabet.

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
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
};

/** Whether a text consists of the characters of base64url (RFC 4648 §5), without padding. */
export const isBase64UrlAlphabet = (text: string): boolean => /^[A-Za-z0-9_-]*$/.test(text);

/**
 * Bytes of unpadded base64url (RFC 7515 §2), or null; as strict as `decodeBase64`.
 *
 * @example
 * ```ts
 * import { decodeBase64Url } from "@agent-auth/agent-identity/encoding";
 *
 * decodeBase64Url("aGk"); // 2 bytes
 * ```
 */
export const decodeBase64Url = (text: string): Buffer | null => {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : null;
};
