import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { importAgentPublicKey as importPublic, type AgentPublicKey } from "../keys/public-key.ts";
import * as keys from "../keys/index.ts";
import type { AgentKey } from "../keys/index.ts";

/** Makes a new key from the operating system's randomness. */
export const generateAgentKey = (): Promise<AgentKey> => Effect.runPromise(keys.generateAgentKey);

/** Imports base64 of PKCS#8 DER, version 1 or 2. Rejects with `AgentKeyMalformed`. */
export const importAgentKey = (pkcs8: string): Promise<AgentKey> =>
  Effect.runPromise(keys.importAgentKey(Redacted.make(pkcs8)));

/** The key as base64 of PKCS#8 DER, version 1: a secret, in clear. */
export const exportPkcs8 = (key: AgentKey): string => Redacted.value(keys.exportPkcs8(key));

/** Imports 32 bytes, or the SSH form. Rejects with `AgentPublicKeyMalformed`. */
export const importAgentPublicKey = (key: string | Uint8Array): Promise<AgentPublicKey> =>
  Effect.runPromise(importPublic(key));

/** Seals a message to an agent's Ed25519 public key; base64. Rejects with `AgentPublicKeyMalformed`. */
export const sealToAgent = async (
  publicKey: Uint8Array,
  message: string | Uint8Array,
): Promise<string> => {
  const box = await import("../keys/sealed-box.ts");
  return Effect.runPromise(box.sealToAgent(publicKey, message));
};

/** Opens what was sealed to an agent's key. Rejects with `SealedBoxUnopened`. */
export const unsealWithAgentKey = async (key: AgentKey, sealed: string): Promise<Uint8Array> => {
  const box = await import("../keys/sealed-box.ts");
  return Effect.runPromise(box.unsealWithAgentKey(key, sealed));
};
