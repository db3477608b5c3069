import { createPublicKey, type KeyObject, verify } from "node:crypto";
import * as Effect from "effect/Effect";
import { decodeBase64 } from "../encoding/base64.ts";
import { describeType } from "../encoding/text.ts";
import { AgentPublicKeyMalformed } from "../errors/index.ts";
import { writeSpki } from "./ed25519-der.ts";

/** An agent's public key, imported once. */
export interface AgentPublicKey {
  /** 32 bytes; a new copy each time. */
  readonly raw: Uint8Array;
  /** `ssh-ed25519 <base64>`, without a comment. */
  readonly ssh: string;
  /** Whether a signature (base64, standard, padded, 64 bytes) is valid for the UTF-8 bytes of a message. */
  readonly verify: (message: string, signature: string) => boolean;
}

const sshKeyType = "ssh-ed25519";
/** RFC 4253 §6.6 with RFC 8709 §4: string "ssh-ed25519", string key. */
const sshBlobPrefix = Buffer.concat([
  Buffer.from([0, 0, 0, sshKeyType.length]),
  Buffer.from(sshKeyType),
  Buffer.from([0, 0, 0, 32]),
]);

/** `ssh-ed25519 <base64>` of a 32-byte public key. */
export const formatSshPublicKey = (publicKey: Uint8Array): string =>
  `${sshKeyType} ${Buffer.concat([sshBlobPrefix, publicKey]).toString("base64")}`;

/** The 32 bytes of `ssh-ed25519 <base64>`, ignoring a comment after it; null for anything else. */
const parseSshPublicKey = (text: string): Uint8Array | null => {
  const [type, encoded] = text.trim().split(" ", 2);
  if (type !== sshKeyType || encoded === undefined || encoded.length > 128) return null;
  const blob = decodeBase64(encoded);
  if (blob?.length !== sshBlobPrefix.length + 32) return null;
  return blob.subarray(0, sshBlobPrefix.length).equals(sshBlobPrefix)
    ? blob.subarray(sshBlobPrefix.length)
    : null;
};

/**
 * The y coordinates (little endian, sign bit clear) of every encoding of a point whose order divides 8 on edwards25519:
 * solutions of y = ±1, y = 0 and d·y⁴ + 2y² = 1, and the two of them that stay below 2²⁵⁵ when p is added.
 */
const smallOrderPoints: ReadonlySet<string> = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

/** Whether 32 bytes encode a point of small order, under which a signature proves nothing. */
const isSmallOrderPoint = (publicKey: Uint8Array): boolean => {
  const y = Buffer.from(publicKey);
  y[31] = (y[31] ?? 0) & 0x7f;
  return smallOrderPoints.has(y.toString("hex"));
};

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
 * Imports an agent's public key: 32 bytes, or its SSH format (a comment is ignored). Points of small order are rejected,
 * since under them one signature is valid for many messages. Fails with `AgentPublicKeyMalformed`.
 *
 * @example
 * ```ts
 * import { importAgentPublicKey } from "@agent-auth/agent-identity/assertion/verifier";
 * import { generateAgentKey } from "@agent-auth/agent-identity/keys";
 * import * as Effect from "effect/Effect";
 *
 * const agentKey = await Effect.runPromise(generateAgentKey);
 * const publicKey = await Effect.runPromise(importAgentPublicKey(agentKey.sshPublicKey));
 * publicKey.verify("hello", agentKey.sign("hello")); // true
 * ```
 */
export const importAgentPublicKey = Effect.fnUntraced(function* (
  key: string | Uint8Array,
): Effect.fn.Return<AgentPublicKey, AgentPublicKeyMalformed> {
  const raw = typeof key === "string" ? parseSshPublicKey(key) : key;
  if (raw === null) {
    return yield* new AgentPublicKeyMalformed({ problem: "it is not an ssh-ed25519 key" });
  }
  if (!(raw instanceof Uint8Array)) {
    const problem = `it must be 32 bytes or text, found ${describeType(raw)}`;
    return yield* new AgentPublicKeyMalformed({ problem });
  }
  if (raw.length !== 32) {
    return yield* new AgentPublicKeyMalformed({ problem: "it is not 32 bytes long" });
  }
  if (isSmallOrderPoint(raw)) {
    return yield* new AgentPublicKeyMalformed({ problem: "it is a point of small order" });
  }
  return new ImportedAgentPublicKey(raw);
});
