import type { CryptoKey } from "jose";
import { minModulusBits } from "../jwks/rsa-jwk.ts";
import type { UnverifiedJws } from "./compact-jws.ts";

/** What WebCrypto says about a key; only RSA keys have all of it. */
interface KeyAlgorithm {
  readonly name: string;
  readonly hash?: { readonly name: string };
  readonly modulusLength?: number;
}

/**
 * Why a key must not verify RS256, or null. Keys of `parseJwks` pass; those of a custom `JwksSource` may not, and
 * WebCrypto verifies a SHA-1 signature or one of a 1024-bit key without complaint.
 */
export const problemOfKey = (key: CryptoKey): string | null => {
  const { name, hash, modulusLength = 0 }: KeyAlgorithm = key.algorithm;
  if (name !== "RSASSA-PKCS1-v1_5" || hash?.name !== "SHA-256") return "its key is not for RS256";
  if (key.type !== "public") return "its key is not a public key";
  return modulusLength < minModulusBits
    ? `its modulus of ${modulusLength} bits is shorter than ${minModulusBits}`
    : null;
};

/**
 * Whether a key without a `problemOfKey` made the signature of a JWS: RS256 (RFC 7518 §3.3) over its signing input
 * (RFC 7515 §5.2, ASCII), on another thread. jose's `compactVerify` would make the same call after decoding the token a
 * second time, which costs more than the rest of a verification.
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
    return false; // the key's usages do not include "verify"
  }
};
