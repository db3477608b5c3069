import { decodeBase64Url } from "../encoding/base64.ts";
import { isJsonObject, type JsonObject } from "../encoding/json.ts";

/** An RSA public key that may verify RS256, reduced to the members that are used. */
export interface UsableRsaJwk {
  readonly kty: "RSA";
  readonly kid: string;
  readonly n: string;
  readonly e: string;
}

/** A member of a JWKS with a `kid`: a usable key, or the reason why it is not one. */
export type CheckedJwk = UsableRsaJwk | { readonly kid: string; readonly problem: string };

/** RFC 7518 §3.3. */
export const minModulusBits = 2048;
/** OpenSSL verifies with up to 16,384 bits; such a key costs milliseconds per token, and no authority signs with one. */
const maxModulusBits = 8192;
/** The longest `kid` in characters, of a token or a key. */
export const maxKidLength = 1024;

const bitLength = (bytes: Buffer): number => {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : (bytes.length - first) * 8 - (Math.clz32(bytes[first] ?? 0) - 24);
};

const purposeProblem = ({ use, alg, key_ops: operations }: JsonObject): string | undefined => {
  if (use !== undefined && use !== "sig") return "it is marked for another use";
  if (alg !== undefined && alg !== "RS256") return "it is marked for another algorithm";
  const verifies = Array.isArray(operations) && operations.includes("verify");
  return operations === undefined || verifies ? undefined : "it is marked for another use";
};

const numbersProblem = (n: Buffer, e: Buffer): string | undefined => {
  const bits = bitLength(n);
  if (bits < minModulusBits) return `its modulus of ${bits} bits is shorter than ${minModulusBits}`;
  if (bits > maxModulusBits) return `its modulus of ${bits} bits is longer than ${maxModulusBits}`;
  // With e = 1 a signature is the message itself; an even e is not an RSA exponent.
  const exponentBits = bitLength(e);
  const isOdd = ((e.at(-1) ?? 0) & 1) === 1;
  return exponentBits < 2 || exponentBits > 64 || !isOdd ? "its exponent is unsafe" : undefined;
};

const problemOrNumbers = (jwk: JsonObject): string | { readonly n: string; readonly e: string } => {
  const { kty, d, n, e } = jwk;
  if (kty !== "RSA") return "it is not an RSA key";
  const purpose = purposeProblem(jwk);
  if (purpose !== undefined) return purpose;
  if (d !== undefined) return "it contains its private key";
  if (typeof n !== "string" || typeof e !== "string") return "it is not an RSA public key";
  const [modulus, exponent] = [decodeBase64Url(n), decodeBase64Url(e)];
  if (modulus === null || exponent === null) return "it is not an RSA public key";
  return numbersProblem(modulus, exponent) ?? { n, e };
};

/**
 * Checks one member of a JWKS (RFC 7517 §4, RFC 7518 §6.3). Returns null for a member that no token can name: without
 * `kid`, or with one that is too long. By hand, since a schema takes 5 µs to reject a member and a megabyte of JSON can
 * hold 300,000 of them.
 */
export const checkJwk = (member: unknown): CheckedJwk | null => {
  if (!isJsonObject(member)) return null;
  const { kid } = member;
  if (typeof kid !== "string" || kid === "" || kid.length > maxKidLength) return null;
  const checked = problemOrNumbers(member);
  return typeof checked === "string" ? { kid, problem: checked } : { kty: "RSA", kid, ...checked };
};
