import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { AgentKeyMalformed } from "../errors/index.ts";
import { decodeBase64 } from "../encoding/base64.ts";
import { parseEd25519Pkcs8, rawOfSpki, writePkcs8 } from "./ed25519-der.ts";
import { formatSshPublicKey } from "./public-key.ts";

/**
 * An agent's Ed25519 key, imported once. It prints, inspects and serialises as its public key only; the private key stays
 * inside OpenSSL's key object until `exportPkcs8` exports it.
 */
export interface AgentKey {
  /** The public key, 32 bytes (RFC 8032 §5.1.5); a new copy each time. */
  readonly publicKeyRaw: Uint8Array;
  /** `ssh-ed25519 <base64 of the RFC 4253 §6.6 blob>`, without a comment. */
  readonly sshPublicKey: string;
  /** Signature (RFC 8032, pure Ed25519) of the UTF-8 bytes of a message: base64, standard, padded. Deterministic. */
  readonly sign: (message: string) => string;
}

class ImportedAgentKey implements AgentKey {
  readonly #privateKey: KeyObject;
  readonly #publicKey: Buffer;
  readonly sshPublicKey: string;

  constructor(privateKey: KeyObject, publicKey: Buffer) {
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
    this.sshPublicKey = formatSshPublicKey(publicKey);
  }

  get publicKeyRaw(): Uint8Array {
    return Uint8Array.from(this.#publicKey);
  }

  sign(message: string): string {
    return sign(null, Buffer.from(message, "utf8"), this.#privateKey).toString("base64");
  }

  static privateKeyOf(key: AgentKey): KeyObject {
    if (key instanceof ImportedAgentKey) return key.#privateKey;
    throw new TypeError("key must come from generateAgentKey or importAgentKey");
  }
}

const keyFromSeed = (seed: Uint8Array): ImportedAgentKey => {
  const privateKey = createPrivateKey({
    key: writePkcs8("ed25519", seed),
    format: "der",
    type: "pkcs8",
  });
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return new ImportedAgentKey(privateKey, rawOfSpki(spki));
};

/**
 * Generates a key with the operating system's random number generator.
 *
 * @example
 * ```ts
 * import { generateAgentKey } from "@agent-auth/agent-identity/keys";
 * import * as Effect from "effect/Effect";
 *
 * const key = await Effect.runPromise(generateAgentKey);
 * key.sshPublicKey; // "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5…"
 * ```
 */
export const generateAgentKey: Effect.Effect<AgentKey> = Effect.sync(() => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const spki = publicKey.export({ format: "der", type: "spki" });
  return new ImportedAgentKey(privateKey, rawOfSpki(spki));
});

/**
 * Imports base64 (standard, padded) of PKCS#8 DER, version 1 or 2. The public key of a version 2 structure must belong
 * to its seed. Fails with `AgentKeyMalformed`, which contains nothing of the input.
 *
 * @example
 * ```ts
 * import { exportPkcs8, generateAgentKey, importAgentKey } from "@agent-auth/agent-identity/keys";
 * import * as Effect from "effect/Effect";
 *
 * const program = Effect.gen(function* () {
 *   const generated = yield* generateAgentKey;
 *   return yield* importAgentKey(exportPkcs8(generated));
 * });
 * const key = await Effect.runPromise(program);
 * ```
 */
export const importAgentKey = Effect.fnUntraced(function* (
  pkcs8: Redacted.Redacted,
): Effect.fn.Return<AgentKey, AgentKeyMalformed> {
  const text: unknown = Redacted.isRedacted(pkcs8) ? Redacted.value(pkcs8) : undefined;
  const der = typeof text === "string" ? decodeBase64(text) : null;
  if (der === null || der.length === 0) {
    return yield* new AgentKeyMalformed({ problem: "it is not base64" });
  }
  const parsed = parseEd25519Pkcs8(der);
  if (parsed === "structure") {
    return yield* new AgentKeyMalformed({ problem: "it is not a PKCS#8 structure" });
  }
  if (parsed === "algorithm") {
    return yield* new AgentKeyMalformed({ problem: "it is not an Ed25519 key" });
  }
  const key = keyFromSeed(parsed.seed);
  const { publicKey = key.publicKeyRaw } = parsed;
  if (Buffer.compare(publicKey, key.publicKeyRaw) !== 0) {
    const problem = "its public key belongs to another private key";
    return yield* new AgentKeyMalformed({ problem });
  }
  return key;
});

/**
 * Exports a key for storage: base64 (standard, padded) of PKCS#8 DER, version 1. Throws `TypeError` for a key that was
 * not made by `generateAgentKey` or `importAgentKey`.
 *
 * @example
 * ```ts
 * import { exportPkcs8, generateAgentKey } from "@agent-auth/agent-identity/keys";
 * import * as Effect from "effect/Effect";
 * import * as Redacted from "effect/Redacted";
 *
 * const key = await Effect.runPromise(generateAgentKey);
 * const secret = Redacted.value(exportPkcs8(key));
 * ```
 */
export const exportPkcs8 = (key: AgentKey): Redacted.Redacted =>
  Redacted.make(
    ImportedAgentKey.privateKeyOf(key).export({ format: "der", type: "pkcs8" }).toString("base64"),
    { label: "agent_private_key" },
  );
