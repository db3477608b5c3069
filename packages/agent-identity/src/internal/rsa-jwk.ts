import * as z from "zod/mini";
import { decodeBase64Url } from "./base64.ts";

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

const minModulusBits = 2048;
/** OpenSSL verifies with up to 16,384 bits; such a key costs milliseconds a token, and nobody signs with one. */
const maxModulusBits = 8192;

const Jwk = z.object({
  kid: z.string().check(z.minLength(1)),
  kty: z.string(),
  use: z.optional(z.unknown()),
  alg: z.optional(z.unknown()),
  key_ops: z.optional(z.unknown()),
  n: z.optional(z.unknown()),
  e: z.optional(z.unknown()),
  d: z.optional(z.unknown()),
});
type Jwk = z.infer<typeof Jwk>;

const bitLength = (bytes: Buffer): number => {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : (bytes.length - first) * 8 - (Math.clz32(bytes[first] ?? 0) - 24);
};

const purposeProblem = (jwk: Jwk): string | undefined => {
  if (jwk.use !== undefined && jwk.use !== "sig") return "it is marked for another use";
  if (jwk.alg !== undefined && jwk.alg !== "RS256") return "it is marked for another algorithm";
  const operations = jwk.key_ops;
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

const judge = (jwk: Jwk): UsableRsaJwk | string => {
  if (jwk.kty !== "RSA") return "it is no RSA key";
  const purpose = purposeProblem(jwk);
  if (purpose !== undefined) return purpose;
  if (jwk.d !== undefined) return "its private half is public";
  const { n, e } = jwk;
  if (typeof n !== "string" || typeof e !== "string") return "it is no RSA public key";
  const [modulus, exponent] = [decodeBase64Url(n), decodeBase64Url(e)];
  if (modulus === null || exponent === null) return "it is no RSA public key";
  return numbersProblem(modulus, exponent) ?? { kty: "RSA", n, e };
};

/** Judges one member of a JWKS (RFC 7517 §4, RFC 7518 §6.3); null for a thing without `kid`, which nobody can ask for. */
export const judgeJwk = (member: unknown): JwkJudgement | null => {
  const read = Jwk.safeParse(member);
  if (!read.success) return null;
  const { kid } = read.data;
  const judged = judge(read.data);
  return typeof judged === "string" ? { kid, because: judged } : { kid, jwk: judged };
};
