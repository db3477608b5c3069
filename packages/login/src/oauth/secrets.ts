import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** A PKCE verifier: 64 random bytes, base64url (RFC 7636 §4.1). It never leaves the process before the exchange. */
export const generateCodeVerifier = (): string => randomBytes(64).toString("base64url");

/** Compares in a time that does not tell how much of `given` is right, nor how long `expected` is. */
export const sameSecret = (given: string, expected: string): boolean =>
  timingSafeEqual(digest(given), digest(expected));

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
