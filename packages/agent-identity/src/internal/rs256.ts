import type { CryptoKey } from "jose";
import type { UnverifiedJws } from "./compact-jws.ts";

/**
 * Whether a key made the signature of a JWS: RS256 (RFC 7518 §3.3) over its signing input (RFC 7515 §5.2), on another
 * thread. jose imports the key and binds it to RS256; its `compactVerify` would come to the same call, after it has taken
 * the token apart a second time, which costs more than all the rest of a verification. A key that cannot do it verifies
 * nothing.
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
    return false;
  }
};
