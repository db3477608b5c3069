/** The Promise API of this package, for programs that do not use Effect: plain values, Promises, `AbortSignal`. */
export { isAgentIdentityError } from "../errors/index.ts";
export {
  type AgentProfile,
  type AgentWithKey,
  importStoredAgent,
  type UnverifiedAgent,
  type VerifiedAgent,
} from "./agent.ts";
export {
  type AssertionUse,
  type AssertionVerifier,
  type AssertionVerifierOptions,
  createAssertionVerifier,
  parseAgentAssertion,
  type VerifyAssertionCall,
} from "./assertion-verifier.ts";
export {
  type AgentIdentityClient,
  type AgentIdentityClientOptions,
  createAgentIdentity,
  type JwksStore,
} from "./client.ts";
export {
  exportPkcs8,
  generateAgentKey,
  importAgentKey,
  importAgentPublicKey,
  sealToAgent,
  unsealWithAgentKey,
} from "./keys.ts";
export {
  type AgentRegistrationRequest,
  type BiscuitRequest,
  jwksUrl,
  taskApiBaseUrl,
  type TaskRequest,
} from "./requests.ts";
export type { CallOptions } from "./runtime.ts";
