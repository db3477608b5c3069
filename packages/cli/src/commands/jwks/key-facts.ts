import * as z from "zod/mini";

/** What is shown about one key of a set. */
export interface KeyFacts {
  readonly kid: string | null;
  readonly kty: string | null;
  readonly alg: string | null;
  readonly use: string | null;
  /** Length of an RSA modulus. */
  readonly bits: number | null;
  /** Whether it may verify agent identity JWTs. */
  readonly usable: boolean;
  /** Why not; `null` if it is usable. */
  readonly reason: string | null;
}

const orElse = z.catch;
const text = orElse(z.nullable(z.string()), null);
const Key = z.object({ kid: text, kty: text, alg: text, use: text, n: text });
const Keys = z.object({ keys: z.array(orElse(Key, nothing())) });

function nothing() {
  return { kid: null, kty: null, alg: null, use: null, n: null };
}

/** Reads the keys of a set for display; members that are not strings are omitted. Nothing is checked. */
export const keyFacts = (jwks: unknown): readonly Omit<KeyFacts, "usable" | "reason">[] => {
  const read = Keys.safeParse(jwks);
  if (!read.success) return [];
  return read.data.keys.map(({ kid, kty, alg, use, n }) => ({
    kid,
    kty,
    alg,
    use,
    bits: n === null ? null : modulusBits(n),
  }));
};

const modulusBits = (n: string): number => {
  const bytes = Buffer.from(n, "base64url");
  const first = bytes.find((byte) => byte !== 0) ?? 0;
  const leadingZeros = bytes.findIndex((byte) => byte !== 0);
  return leadingZeros < 0 ? 0 : (bytes.length - leadingZeros) * 8 - Math.clz32(first) + 24;
};
