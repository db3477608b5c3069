import { decodeBase64Url } from "../encoding/base64.ts";
import { isJsonObject, type JsonObject } from "../jwt/json-object.ts";

/** An RSA public key that is fit to verify RS256, reduced to what the import needs. */
export interface UsableRsaJwk {
  readonly kty: "RSA";
  readonly n: string;
  readonly e: string;
}

/** A member of a JWKS with a `kid`: a key for us, or the reason why it is none. */
export type JwkJudgement =
  | { readonly kid: string; readonly jwk: UsableRsaJwk }
  | { readonly kid: string; readonly because: string };

/** RFC 7518 §3.3. */
export const minModulusBits = 2048;
/** OpenSSL verifies with up to 16,384 bits; such a key costs milliseconds a token, and nobody signs with one. */
const maxModulusBits = 8192;

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
  if (bits < minModulusBits) return `its ${bits} bits are fewer than ${minModulusBits}`;
  if (bits > maxModulusBits) return `its ${bits} bits are more than ${maxModulusBits}`;
  // With e = 1 a signature is the message itself; an even e is no RSA exponent.
  const exponentBits = bitLength(e);
  const isOdd = ((e.at(-1) ?? 0) & 1) === 1;
  return exponentBits < 2 || exponentBits > 64 || !isOdd ? "its exponent is unsafe" : undefined;
};

const judge = (jwk: JsonObject): UsableRsaJwk | string => {
  const { kty, d, n, e } = jwk;
  if (kty !== "RSA") return "it is no RSA key";
  const purpose = purposeProblem(jwk);
  if (purpose !== undefined) return purpose;
  if (d !== undefined) return "its private half is public";
  if (typeof n !== "string" || typeof e !== "string") return "it is no RSA public key";
  const [modulus, exponent] = [decodeBase64Url(n), decodeBase64Url(e)];
  if (modulus === null || exponent === null) return "it is no RSA public key";
  return numbersProblem(modulus, exponent) ?? { kty: "RSA", n, e };
};

/**
 * Judges one member of a JWKS (RFC 7517 §4, RFC 7518 §6.3); null for a thing without `kid`, which nobody can ask for. By
 * hand: a schema takes 5 µs to refuse, and a megabyte of JSON has room for 300,000 members.
 */
export const judgeJwk = (member: unknown): JwkJudgement | null => {
  if (!isJsonObject(member)) return null;
  const { kid } = member;
  if (typeof kid !== "string" || kid === "") return null;
  const judged = judge(member);
  return typeof judged === "string" ? { kid, because: judged } : { kid, jwk: judged };
};
