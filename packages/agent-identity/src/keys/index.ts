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
import { rawOfSpki, readEd25519Pkcs8, writePkcs8 } from "./ed25519-pkcs8.ts";
import { formatSshPublicKey } from "./ssh-public-key.ts";

/**
 * An agent's Ed25519 key, imported once. It prints, inspects and serialises as its public half only; the secret one
 * stays inside of OpenSSL's key object until `exportPkcs8` asks for it.
 */
export interface AgentKey {
  /** The public key, 32 bytes (RFC 8032 §5.1.5). A fresh copy each time. */
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
    throw new TypeError("expected an AgentKey of generateAgentKey or importAgentKey");
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

/** Makes a new key from the operating system's randomness. */
export const generateAgentKey: Effect.Effect<AgentKey> = Effect.sync(() => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const spki = publicKey.export({ format: "der", type: "spki" });
  return new ImportedAgentKey(privateKey, rawOfSpki(spki));
});

/**
 * Imports base64 (standard, padded) of PKCS#8 DER, version 1 or 2. The public key of a version 2 structure must belong
 * to its seed. Fails with `AgentKeyMalformed`, in which nothing of the input remains.
 */
export const importAgentKey = Effect.fnUntraced(function* (
  pkcs8: Redacted.Redacted,
): Effect.fn.Return<AgentKey, AgentKeyMalformed> {
  const der = decodeBase64(Redacted.value(pkcs8));
  if (der === null || der.length === 0) {
    return yield* new AgentKeyMalformed({ problem: "it is not base64" });
  }
  const read = readEd25519Pkcs8(der);
  if (read === "structure") {
    return yield* new AgentKeyMalformed({ problem: "it is not a PKCS#8 structure" });
  }
  if (read === "algorithm") {
    return yield* new AgentKeyMalformed({ problem: "it is not an Ed25519 key" });
  }
  const key = keyFromSeed(read.seed);
  const isOurs =
    read.publicKey === undefined || Buffer.from(key.publicKeyRaw).equals(read.publicKey);
  if (!isOurs) {
    return yield* new AgentKeyMalformed({
      problem: "its public key belongs to another private key",
    });
  }
  return key;
});

/** The key as it is stored: base64 (standard, padded) of PKCS#8 DER, version 1. */
export const exportPkcs8 = (key: AgentKey): Redacted.Redacted =>
  Redacted.make(
    ImportedAgentKey.privateKeyOf(key).export({ format: "der", type: "pkcs8" }).toString("base64"),
    { label: "agent_private_key" },
  );
