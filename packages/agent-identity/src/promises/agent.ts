import * as Effect from "effect/Effect";
import * as Struct from "effect/Struct";
import {
  type AgentIdentityJwtHeader,
  decodeUnverifiedAgentIdentityJwt,
  verifyAgentIdentityJwt,
  type VerifyJwtOptions,
} from "../jwt/index.ts";
import { type AgentKey, importAgentKey } from "../keys/index.ts";
import { type AgentIdentityRecord, parseStoredAgentIdentity } from "../record/index.ts";

/** Who an agent is, without its private key. */
export type AgentProfile = Omit<AgentIdentityRecord, "privateKey">;

/** An agent and its key, imported. Whether anything was verified depends on the function that returned it. */
export interface AgentWithKey {
  readonly agent: AgentProfile;
  readonly key: AgentKey;
}

/** An agent whose token was verified. */
export interface VerifiedAgent extends AgentWithKey {
  /** The key that verified it. */
  readonly kid: string;
  readonly issuer: string;
  readonly audience: string;
  /** `exp`, milliseconds since the epoch, clock tolerance not added. */
  readonly expiresAtMs: number;
  /** `iat`, milliseconds since the epoch. */
  readonly issuedAtMs?: number;
}

/** A token taken apart; nothing of it was verified. */
export interface UnverifiedAgent {
  readonly header: AgentIdentityJwtHeader;
  readonly unverifiedAgent: AgentProfile;
  /** `exp`, milliseconds since the epoch; may have passed. */
  readonly expiresAtMs: number;
}

const withKey = ({ privateKey, ...agent }: AgentIdentityRecord) =>
  Effect.map(importAgentKey(privateKey), (key): AgentWithKey => ({ agent, key }));

/** Verifies a token and imports its key. */
export const verifyAgent = Effect.fnUntraced(function* (jwt: string, options?: VerifyJwtOptions) {
  const { record, ...facts } = yield* verifyAgentIdentityJwt(jwt, options);
  return { ...(yield* withKey(record)), ...facts } satisfies VerifiedAgent;
});

/** Reads a token without trusting it; its key is dropped. */
export const decodeUnverifiedAgent = Effect.fnUntraced(function* (jwt: string) {
  const { unverifiedRecord, ...facts } = yield* decodeUnverifiedAgentIdentityJwt(jwt);
  const unverifiedAgent = Struct.omit(unverifiedRecord, ["privateKey"]);
  return { unverifiedAgent, ...facts } satisfies UnverifiedAgent;
});

/**
 * Reads a record that a sign-in stored (`agent_identity` of `auth.json` as an object), of either design, and imports its
 * key. Rejects with `StoredAgentIdentityInvalid` or `AgentKeyMalformed`.
 */
export const importStoredAgent = (stored: unknown): Promise<AgentWithKey> =>
  Effect.runPromise(Effect.flatMap(parseStoredAgentIdentity(stored), withKey));
