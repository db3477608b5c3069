/**
 * The package for callers who do not use Effect: plain values in and out, Promises that reject with the classes of
 * `./errors`, an optional `AbortSignal` in each call that may take time.
 */
export {
  type AgentProfile,
  type AgentWithKey,
  importStoredAgent,
  type UnverifiedAgent,
  type VerifiedAgent,
} from "./agent.ts";
export {
  createAgentIdentity,
  type AgentIdentityClient,
  type AgentIdentityClientOptions,
  type JwksStore,
} from "./agent-identity.ts";
export {
  createAssertionVerifier,
  parseAgentAssertion,
  type AssertionUse,
  type AssertionVerifier,
  type AssertionVerifierOptions,
  type VerifyAssertionCall,
} from "./assertion-verifier.ts";
export { isAgentIdentityError } from "../errors/index.ts";
export type { CallOptions } from "./call-options.ts";
export {
  exportPkcs8,
  generateAgentKey,
  importAgentKey,
  importAgentPublicKey,
  sealToAgent,
  unsealWithAgentKey,
} from "./keys.ts";
export type { AgentRegistrationRequest, BiscuitRequest, TaskRequest } from "./requests.ts";
export { jwksUrl, taskApiBaseUrl } from "./urls.ts";
