import * as Effect from "effect/Effect";
import * as Struct from "effect/Struct";
import {
  decodeUnverifiedAgentIdentityJwt,
  type UnverifiedAgentIdentityJwt,
  type VerifiedAgentIdentity,
  verifyAgentIdentityJwt,
  type VerifyJwtOptions,
} from "../jwt/index.ts";
import { type AgentKey, importAgentKey } from "../keys/index.ts";
import { type AgentIdentityRecord, parseStoredAgentIdentity } from "../record/index.ts";

/** An agent's identity without its private key. */
export type AgentProfile = Omit<AgentIdentityRecord, "privateKey">;

/** An agent and its imported key. Whether anything was verified depends on the function that returned it. */
export interface AgentWithKey {
  readonly agent: AgentProfile;
  readonly key: AgentKey;
}

/** An agent whose token was verified. */
export interface VerifiedAgent extends AgentWithKey, Omit<VerifiedAgentIdentity, "record"> {}

/** A decoded token. Nothing in it has been verified. */
export interface UnverifiedAgent extends Omit<UnverifiedAgentIdentityJwt, "unverifiedRecord"> {
  readonly unverifiedAgent: AgentProfile;
}

const profileOf = (record: AgentIdentityRecord): AgentProfile =>
  Struct.omit(record, ["privateKey"]);

/** `verifyAgentIdentityJwt` without `Redacted` values. */
export const verifyAgent = (jwt: string, options?: VerifyJwtOptions) =>
  Effect.map(verifyAgentIdentityJwt(jwt, options), ({ record, ...rest }): VerifiedAgent => ({
    agent: profileOf(record),
    ...rest,
  }));

/** `decodeUnverifiedAgentIdentityJwt` without the private key. */
export const decodeUnverifiedAgent = (jwt: string) =>
  Effect.map(
    decodeUnverifiedAgentIdentityJwt(jwt),
    ({ unverifiedRecord, ...rest }): UnverifiedAgent => ({
      unverifiedAgent: profileOf(unverifiedRecord),
      ...rest,
    }),
  );

/**
 * Parses a record that a sign-in stored (`agent_identity` of `auth.json` as an object), of either design, and imports its
 * key. Rejects with `StoredAgentIdentityInvalid` or `AgentKeyMalformed`.
 *
 * @example
 * ```ts
 * import { exportPkcs8, generateAgentKey, importStoredAgent } from "@agent-auth/agent-identity/promises";
 *
 * const { agent, key } = await importStoredAgent({
 *   workspace_id: "workspace-123",
 *   agent_runtime_id: "agent-123",
 *   agent_private_key: exportPkcs8(await generateAgentKey()),
 *   registered_at: "2026-04-13T12:00:00Z",
 * });
 * agent.accountId; // "workspace-123"
 * ```
 */
export const importStoredAgent = (stored: unknown): Promise<AgentWithKey> =>
  Effect.runPromise(
    Effect.flatMap(parseStoredAgentIdentity(stored), (record) =>
      Effect.map(importAgentKey(record.privateKey), (key) => ({ agent: profileOf(record), key })),
    ),
  );
