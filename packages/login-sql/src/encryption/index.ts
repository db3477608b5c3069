import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { KeyProblem, KeyRing } from "./keys.ts";

export { generateStoreKey, type KeySource, makeKeyRing, type KeyRing } from "./keys.ts";

/** Which cell of the database a text belongs to. It is authenticated, so that cells cannot be exchanged. */
export interface Cell {
  readonly kind: "document" | "outcome";
  readonly signIn: string;
  /** Of the document; 0 for an outcome. */
  readonly version: number;
}

/**
 * Encrypts a text for one cell: compact JWE (RFC 7516), `dir` with A256GCM and the first key. Kind, sign-in and version are
 * members of the protected header, which A256GCM authenticates.
 */
export const seal = Effect.fnUntraced(function* (
  ring: KeyRing,
  { kind, signIn, version }: Cell,
  text: string,
): Effect.fn.Return<string, KeyProblem> {
  const key = yield* ring.forEncryption;
  const { CompactEncrypt } = yield* jose;
  const header = {
    alg: "dir",
    enc: "A256GCM",
    kid: key.id,
    typ: `agent-auth-${kind}+jwe`,
    sub: signIn,
    ver: version,
  };
  return yield* Effect.promise(() =>
    new CompactEncrypt(new TextEncoder().encode(text))
      .setProtectedHeader(header)
      .encrypt(Redacted.value(key.secret)),
  );
});

/** Decrypts the text of a cell. Fails if its key is unknown, if it was changed, or if it belongs to another cell. */
export const unseal = Effect.fnUntraced(function* (
  ring: KeyRing,
  { kind, signIn, version }: Cell,
  jwe: string,
): Effect.fn.Return<string, KeyProblem> {
  const { compactDecrypt, decodeProtectedHeader } = yield* jose;
  const { kid } = yield* Effect.try({
    try: () => decodeProtectedHeader(jwe),
    catch: () => ({ reason: "it is not an encrypted document", advice: adviceForDamage }),
  });
  const key = yield* ring.find(String(kid));
  const { plaintext, protectedHeader: found } = yield* Effect.tryPromise({
    try: () =>
      compactDecrypt(jwe, Redacted.value(key.secret), {
        keyManagementAlgorithms: ["dir"],
        contentEncryptionAlgorithms: ["A256GCM"],
      }),
    catch: () => ({
      reason: `the key ${JSON.stringify(key.id)} does not decrypt it: another key has the same id, or it was changed`,
      advice: "Give this program the key with which it was encrypted.",
    }),
  });
  const isOwn =
    found.typ === `agent-auth-${kind}+jwe` && found["sub"] === signIn && found["ver"] === version;
  if (isOwn) return new TextDecoder().decode(plaintext);
  return yield* Effect.fail({
    reason: "it was encrypted for another row or version: someone has changed the table",
    advice: adviceForDamage,
  });
});

const adviceForDamage = "Find out who writes to the table, then sign in again.";

/** Returns the id of the key that a cell is encrypted with; undefined if it is not encrypted. */
export const keyIdOf = (jwe: string): Effect.Effect<string | undefined> =>
  Effect.map(jose, ({ decodeProtectedHeader }) => {
    try {
      return decodeProtectedHeader(jwe).kid;
    } catch {
      return undefined;
    }
  });

// Loaded with the first document: a program with a fresh credential in memory does not need it.
const jose = Effect.promise(() => import("jose"));
