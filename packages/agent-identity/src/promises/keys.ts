import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as keys from "../keys/index.ts";
import type { AgentKey } from "../keys/index.ts";
import { importAgentPublicKey as importPublic, type AgentPublicKey } from "../keys/public-key.ts";

/**
 * Generates a key with the operating system's random number generator.
 *
 * @example
 * ```ts
 * import { generateAgentKey } from "@agent-auth/agent-identity/promises";
 *
 * const key = await generateAgentKey();
 * key.sshPublicKey; // "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5…"
 * ```
 */
export const generateAgentKey = (): Promise<AgentKey> => Effect.runPromise(keys.generateAgentKey);

/**
 * Imports base64 of PKCS#8 DER, version 1 or 2. Rejects with `AgentKeyMalformed`.
 *
 * @example
 * ```ts
 * import { exportPkcs8, generateAgentKey, importAgentKey } from "@agent-auth/agent-identity/promises";
 *
 * const key = await importAgentKey(exportPkcs8(await generateAgentKey()));
 * ```
 */
export const importAgentKey = (pkcs8: string): Promise<AgentKey> =>
  Effect.runPromise(keys.importAgentKey(Redacted.make(pkcs8)));

/**
 * Exports a key as base64 of PKCS#8 DER, version 1: a secret in plain text.
 *
 * @example
 * ```ts
 * import { exportPkcs8, generateAgentKey } from "@agent-auth/agent-identity/promises";
 *
 * const secret = exportPkcs8(await generateAgentKey());
 * ```
 */
export const exportPkcs8 = (key: AgentKey): string => Redacted.value(keys.exportPkcs8(key));

/**
 * Imports a public key: 32 bytes, or its SSH format. Rejects with `AgentPublicKeyMalformed`.
 *
 * @example
 * ```ts
 * import { generateAgentKey, importAgentPublicKey } from "@agent-auth/agent-identity/promises";
 *
 * const key = await generateAgentKey();
 * const publicKey = await importAgentPublicKey(key.sshPublicKey);
 * publicKey.verify("hello", key.sign("hello")); // true
 * ```
 */
export const importAgentPublicKey = (key: string | Uint8Array): Promise<AgentPublicKey> =>
  Effect.runPromise(importPublic(key));

/**
 * Encrypts a message to an agent's Ed25519 public key; returns base64. Rejects with `AgentPublicKeyMalformed`.
 *
 * @example
 * ```ts
 * import { generateAgentKey, sealToAgent } from "@agent-auth/agent-identity/promises";
 *
 * const key = await generateAgentKey();
 * const sealed = await sealToAgent(key.publicKeyRaw, "task-123");
 * ```
 */
export const sealToAgent = async (
  publicKey: Uint8Array,
  message: string | Uint8Array,
): Promise<string> => {
  const box = await import("../keys/sealed-box.ts");
  return Effect.runPromise(box.sealToAgent(publicKey, message));
};

/**
 * Decrypts a message that was sealed to an agent's key. Rejects with `SealedBoxDecryptionFailed`.
 *
 * @example
 * ```ts
 * import { generateAgentKey, sealToAgent, unsealWithAgentKey } from "@agent-auth/agent-identity/promises";
 *
 * const key = await generateAgentKey();
 * const sealed = await sealToAgent(key.publicKeyRaw, "task-123");
 * new TextDecoder().decode(await unsealWithAgentKey(key, sealed)); // "task-123"
 * ```
 */
export const unsealWithAgentKey = async (key: AgentKey, sealed: string): Promise<Uint8Array> => {
  const box = await import("../keys/sealed-box.ts");
  return Effect.runPromise(box.unsealWithAgentKey(key, sealed));
};
