import { randomBytes } from "node:crypto";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { AgentKeyMalformed } from "../errors/index.ts";
import { type AgentKey, ImportedAgentKey, parseAgentKey } from "./agent-key.ts";

export type { AgentKey } from "./agent-key.ts";

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
export const generateAgentKey: Effect.Effect<AgentKey> = Effect.sync(
  () => new ImportedAgentKey(randomBytes(32)),
);

/**
 * Imports base64 (standard, padded) of PKCS#8 DER, version 1 or 2. The public key of a version 2 structure must belong
 * to its seed. Fails with `AgentKeyMalformed`, which contains no part of the input.
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
export const importAgentKey = (
  pkcs8: Redacted.Redacted,
): Effect.Effect<AgentKey, AgentKeyMalformed> =>
  Effect.suspend(() => {
    const key = parseAgentKey(pkcs8);
    return "_tag" in key ? key : Effect.succeed(key);
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
  Redacted.make(ImportedAgentKey.pkcs8Of(key).toString("base64"), { label: "agent_private_key" });
