import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { inspect } from "node:util";
import * as Redacted from "effect/Redacted";
import { decodeBase64 } from "../encoding/base64.ts";
import { AgentKeyMalformed } from "../errors/index.ts";
import { parseEd25519Pkcs8, rawOfSpki, writePkcs8 } from "./ed25519-der.ts";
import { formatSshPublicKey } from "./public-key.ts";

/** An agent's Ed25519 key. Printing, inspecting or serializing it shows only the public key. */
export interface AgentKey {
  /** The public key, 32 bytes (RFC 8032 §5.1.5); a new copy each time. */
  readonly publicKeyRaw: Uint8Array;
  /** `ssh-ed25519 <base64 of the RFC 4253 §6.6 blob>`, without a comment. */
  readonly sshPublicKey: string;
  /**
   * Returns the signature (RFC 8032, pure Ed25519) of a message's UTF-8 bytes, in standard base64 with padding. It is
   * deterministic.
   */
  readonly sign: (message: string) => string;
}

/** OpenSSL's key objects are created at first use, because creating them takes longer than verifying a token. */
export class ImportedAgentKey implements AgentKey {
  readonly #seed: Uint8Array;
  #privateKey: KeyObject | undefined;
  #publicKey: Buffer | undefined;

  constructor(seed: Uint8Array) {
    this.#seed = new Uint8Array(seed);
  }

  get #private(): KeyObject {
    return (this.#privateKey ??= createPrivateKey({
      key: writePkcs8("ed25519", this.#seed),
      format: "der",
      type: "pkcs8",
    }));
  }

  get #public(): Buffer {
    return (this.#publicKey ??= rawOfSpki(
      createPublicKey(this.#private).export({ format: "der", type: "spki" }),
    ));
  }

  get publicKeyRaw(): Uint8Array {
    return Uint8Array.from(this.#public);
  }

  get sshPublicKey(): string {
    return formatSshPublicKey(this.#public);
  }

  sign(message: string): string {
    return sign(null, Buffer.from(message, "utf8"), this.#private).toString("base64");
  }

  toJSON() {
    return { sshPublicKey: this.sshPublicKey };
  }

  [inspect.custom](): string {
    return `AgentKey(${this.sshPublicKey})`;
  }

  static pkcs8Of(key: AgentKey): Buffer {
    if (key instanceof ImportedAgentKey) return writePkcs8("ed25519", key.#seed);
    throw new TypeError("key must come from generateAgentKey or importAgentKey");
  }
}

/** Returns the key in base64-encoded PKCS#8 DER, or an error that says what is wrong with it. */
export const parseAgentKey = (pkcs8: unknown): AgentKey | AgentKeyMalformed => {
  const text: unknown = Redacted.isRedacted(pkcs8) ? Redacted.value(pkcs8) : undefined;
  const der = typeof text === "string" ? decodeBase64(text) : null;
  if (der === null || der.length === 0) {
    return new AgentKeyMalformed({ problem: "it is not base64" });
  }
  const parsed = parseEd25519Pkcs8(der);
  if (parsed === "structure") {
    return new AgentKeyMalformed({ problem: "it is not a PKCS#8 structure" });
  }
  if (parsed === "algorithm") return new AgentKeyMalformed({ problem: "it is not an Ed25519 key" });
  const key = new ImportedAgentKey(parsed.seed);
  const { publicKey } = parsed;
  return publicKey === undefined || Buffer.compare(publicKey, key.publicKeyRaw) === 0
    ? key
    : new AgentKeyMalformed({ problem: "its public key belongs to another private key" });
};
