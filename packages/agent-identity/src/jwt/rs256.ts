import type { CryptoKey } from "jose";
import type { UnverifiedJws } from "./compact-jws.ts";
import { minModulusBits } from "../jwks/rsa-jwk.ts";

/** What WebCrypto tells of a key; only RSA keys have all of it. */
interface KeyAlgorithm {
  readonly name: string;
  readonly hash?: { readonly name: string };
  readonly modulusLength?: number;
}

/**
 * Why a key must not verify RS256, or null. `parseJwks` makes none of these, but a `JwksSource` of somebody's own may, and
 * WebCrypto checks a SHA-1 signature or a 1024-bit one without a word.
 */
export const problemOfKey = (key: CryptoKey): string | null => {
  const { name, hash, modulusLength = 0 }: KeyAlgorithm = key.algorithm;
  if (name !== "RSASSA-PKCS1-v1_5" || hash?.name !== "SHA-256") return "its key is not for RS256";
  return modulusLength < minModulusBits
    ? `its ${modulusLength} bits are fewer than ${minModulusBits}`
    : null;
};

/**
 * Whether a key without a `problemOfKey` made the signature of a JWS: RS256 (RFC 7518 §3.3) over its signing input
 * (RFC 7515 §5.2, ASCII), on another thread. jose's `compactVerify` would come to the same call, after it has taken the
 * token apart a second time, which costs more than all the rest of a verification.
 */
export const isSignedBy = async (
  { signingInput, signature }: UnverifiedJws,
  key: CryptoKey,
): Promise<boolean> => {
  if (signature === null) return false;
  const signed = Buffer.from(signingInput, "latin1");
  try {
    return await crypto.subtle.verify("RSASSA-PKCS1-v1_5", key, signature, signed);
  } catch {
    return false; // a private key, or one that may not verify
  }
};
