import {
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  randomBytes,
} from "node:crypto";
import { hsalsa, xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { blake2b } from "@noble/hashes/blake2.js";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { AgentPublicKeyMalformed, SealedBoxDecryptionFailed } from "../errors/index.ts";
import { decodeBase64 } from "../encoding/base64.ts";
import { rawOfSpki, parseEd25519Pkcs8, writePkcs8, writeSpki } from "./ed25519-der.ts";
import { type AgentKey, exportPkcs8 } from "./index.ts";

/** Length of the ephemeral public key and the Poly1305 tag that a sealed box adds to its message. */
const sealBytes = 48;
const publicKeyBytes = 32;
/** "expand 32-byte k", as little-endian words: Salsa20's constant for 32-byte keys. */
const sigma = new Uint32Array([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);

const seedOf = (key: AgentKey): Uint8Array => {
  const der = decodeBase64(Redacted.value(exportPkcs8(key)));
  const parsed = der === null ? "structure" : parseEd25519Pkcs8(der);
  if (typeof parsed === "string") throw new TypeError("an AgentKey always exports PKCS#8");
  return parsed.seed;
};

/** The X25519 secret of an agent's key: the first half of SHA-512 of the seed, clamped (RFC 7748 §5). */
const x25519SecretOf = (key: AgentKey): Uint8Array => {
  const secret = createHash("sha512").update(seedOf(key)).digest().subarray(0, 32);
  secret[0] = (secret[0] ?? 0) & 0xf8;
  secret[31] = ((secret[31] ?? 0) & 0x7f) | 0x40;
  return secret;
};

const x25519Key = (secret: Uint8Array) => {
  const privateKey = createPrivateKey({
    key: writePkcs8("x25519", secret),
    format: "der",
    type: "pkcs8",
  });
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return { privateKey, publicKey: rawOfSpki(spki) };
};

/**
 * Returns the X25519 private key, 32 bytes, that belongs to an agent's Ed25519 key.
 *
 * @example
 * ```ts
 * import { generateAgentKey } from "@agent-auth/agent-identity/keys";
 * import { x25519PrivateKey } from "@agent-auth/agent-identity/keys/sealed-box";
 * import * as Effect from "effect/Effect";
 *
 * const secret = x25519PrivateKey(await Effect.runPromise(generateAgentKey)); // Redacted
 * ```
 */
export const x25519PrivateKey = (key: AgentKey): Redacted.Redacted<Uint8Array> =>
  Redacted.make(x25519SecretOf(key), { label: "x25519_private_key" });

/**
 * Returns the X25519 public key, 32 bytes, that belongs to an agent's Ed25519 key.
 *
 * @example
 * ```ts
 * import { generateAgentKey } from "@agent-auth/agent-identity/keys";
 * import { x25519PublicKey } from "@agent-auth/agent-identity/keys/sealed-box";
 * import * as Effect from "effect/Effect";
 *
 * x25519PublicKey(await Effect.runPromise(generateAgentKey)).length; // 32
 * ```
 */
export const x25519PublicKey = (key: AgentKey): Uint8Array =>
  Uint8Array.from(x25519Key(x25519SecretOf(key)).publicKey);

const words = (bytes: Uint8Array): Uint32Array => new Uint32Array(Uint8Array.from(bytes).buffer);

/** `crypto_box`'s key: HSalsa20 of the shared X25519 secret. Throws for a peer key of small order. */
const boxKey = (secret: Uint8Array, peer: Uint8Array): Uint8Array => {
  const { privateKey } = x25519Key(secret);
  const publicKey = createPublicKey({
    key: writeSpki("x25519", peer),
    format: "der",
    type: "spki",
  });
  const shared = diffieHellman({ privateKey, publicKey });
  const derived = new Uint32Array(8);
  hsalsa(sigma, words(shared), new Uint32Array(4), derived);
  return new Uint8Array(derived.buffer);
};

const nonceFor = (ephemeral: Uint8Array, recipient: Uint8Array): Uint8Array =>
  blake2b(Buffer.concat([ephemeral, recipient]), { dkLen: 24 });

/**
 * Encrypts a message to an agent as libsodium's `crypto_box_seal` does: only the agent's private key can decrypt it, and
 * the sender stays anonymous. `publicKey` is the agent's Ed25519 key, 32 bytes; the result is base64. The ephemeral key
 * comes from the operating system's random number generator, since Effect's `Random` is not cryptographically secure.
 * Fails with `AgentPublicKeyMalformed`.
 *
 * @example
 * ```ts
 * import { generateAgentKey } from "@agent-auth/agent-identity/keys";
 * import { sealToAgent, unsealWithAgentKey } from "@agent-auth/agent-identity/keys/sealed-box";
 * import * as Effect from "effect/Effect";
 *
 * const program = Effect.gen(function* () {
 *   const key = yield* generateAgentKey;
 *   const sealed = yield* sealToAgent(key.publicKeyRaw, "task-123");
 *   return new TextDecoder().decode(yield* unsealWithAgentKey(key, sealed));
 * });
 * await Effect.runPromise(program); // "task-123"
 * ```
 */
export const sealToAgent = (
  publicKey: Uint8Array,
  message: string | Uint8Array,
): Effect.Effect<string, AgentPublicKeyMalformed> =>
  Effect.try({
    try: () => {
      const recipient = ed25519.utils.toMontgomery(publicKey);
      const secret = randomBytes(publicKeyBytes);
      const ephemeral = x25519Key(secret).publicKey;
      const cipher = xsalsa20poly1305(boxKey(secret, recipient), nonceFor(ephemeral, recipient));
      const sealed = cipher.encrypt(Buffer.from(message));
      return Buffer.concat([ephemeral, sealed]).toString("base64");
    },
    catch: () => new AgentPublicKeyMalformed({ problem: "it is not a point on the curve" }),
  });

/**
 * Decrypts a message that was sealed to an agent's key: base64 (standard, padded) in, bytes out. Fails with
 * `SealedBoxDecryptionFailed`; a changed message cannot be distinguished from one for another key.
 *
 * @example
 * ```ts
 * import { generateAgentKey } from "@agent-auth/agent-identity/keys";
 * import { unsealWithAgentKey } from "@agent-auth/agent-identity/keys/sealed-box";
 * import * as Effect from "effect/Effect";
 *
 * const program = Effect.flatMap(generateAgentKey, (key) => unsealWithAgentKey(key, "AAAA"));
 * const error = await Effect.runPromise(Effect.flip(program));
 * error.problem; // "it is too short"
 * ```
 */
export const unsealWithAgentKey = Effect.fnUntraced(function* (
  key: AgentKey,
  sealed: string,
): Effect.fn.Return<Uint8Array, SealedBoxDecryptionFailed> {
  const box = decodeBase64(sealed);
  if (box === null) return yield* new SealedBoxDecryptionFailed({ problem: "it is not base64" });
  if (box.length < sealBytes)
    return yield* new SealedBoxDecryptionFailed({ problem: "it is too short" });
  return yield* Effect.try({
    try: () => {
      const secret = x25519SecretOf(key);
      const ephemeral = box.subarray(0, publicKeyBytes);
      const nonce = nonceFor(ephemeral, x25519Key(secret).publicKey);
      return xsalsa20poly1305(boxKey(secret, ephemeral), nonce).decrypt(
        box.subarray(publicKeyBytes),
      );
    },
    catch: () => new SealedBoxDecryptionFailed({ problem: "it was not sealed to this key" }),
  });
});
