/**
 * The package for callers who do not use Effect: plain values in and out, Promises that reject with the classes of
 * `./errors`, an optional `AbortSignal` in each call.
 */
export {
  createAgentIdentity,
  type AgentIdentityClient,
  type AgentIdentityClientOptions,
  type AgentProfile,
  type PlainTaskIdentity,
  type UnverifiedAgent,
  type VerifiedAgent,
} from "./promises/agent-identity.ts";
export {
  createAssertionVerifier,
  type AssertionVerifier,
  type AssertionVerifierOptions,
} from "./promises/assertion-verifier.ts";
export type { CallOptions } from "./promises/call-options.ts";
export {
  exportPkcs8,
  generateAgentKey,
  importAgentKey,
  importAgentPublicKey,
  sealToAgent,
  unsealWithAgentKey,
} from "./promises/keys.ts";
