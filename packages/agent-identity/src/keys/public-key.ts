import { createPublicKey, type KeyObject, verify } from "node:crypto";
import * as Effect from "effect/Effect";
import { AgentPublicKeyMalformed } from "../errors/index.ts";
import { decodeBase64 } from "../encoding/base64.ts";
import { writeSpki } from "./ed25519-pkcs8.ts";
import { isWeakPoint } from "./ed25519-weak-points.ts";
import { formatSshPublicKey, parseSshPublicKey } from "./ssh-public-key.ts";

/** An agent's public key, imported once. */
export interface AgentPublicKey {
  /** 32 bytes. A fresh copy each time. */
  readonly raw: Uint8Array;
  /** `ssh-ed25519 <base64>`, without a comment. */
  readonly ssh: string;
  /** Whether a signature (base64, standard, padded, 64 bytes) is this key's of the UTF-8 bytes of a message. */
  readonly verify: (message: string, signature: string) => boolean;
}

const signatureBytes = 64;

class ImportedAgentPublicKey implements AgentPublicKey {
  readonly #key: KeyObject;
  readonly #raw: Uint8Array;
  readonly ssh: string;

  constructor(raw: Uint8Array) {
    this.#raw = Uint8Array.from(raw);
    this.#key = createPublicKey({ key: writeSpki("ed25519", raw), format: "der", type: "spki" });
    this.ssh = formatSshPublicKey(raw);
  }

  get raw(): Uint8Array {
    return Uint8Array.from(this.#raw);
  }

  verify(message: string, signature: string): boolean {
    const bytes = decodeBase64(signature);
    if (bytes?.length !== signatureBytes) return false;
    return verify(null, Buffer.from(message, "utf8"), this.#key, bytes);
  }
}

/**
 * Imports an agent's public key: 32 bytes, or its SSH form (a comment is ignored). Points of small order are refused,
 * since under them one signature fits many messages. Fails with `AgentPublicKeyMalformed`.
 */
export const importAgentPublicKey = Effect.fnUntraced(function* (
  key: string | Uint8Array,
): Effect.fn.Return<AgentPublicKey, AgentPublicKeyMalformed> {
  const raw = typeof key === "string" ? parseSshPublicKey(key) : key;
  if (raw === null) {
    return yield* new AgentPublicKeyMalformed({ problem: "it is not an ssh-ed25519 key" });
  }
  if (raw.length !== 32) {
    return yield* new AgentPublicKeyMalformed({ problem: "it is not 32 bytes long" });
  }
  if (isWeakPoint(raw)) {
    return yield* new AgentPublicKeyMalformed({ problem: "it is a point of small order" });
  }
  return new ImportedAgentPublicKey(raw);
});
