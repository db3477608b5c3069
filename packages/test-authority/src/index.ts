export type { Platform } from "./endpoints/platforms.ts";
export type { WorkloadApi, WorkloadApiOptions, WorkloadApiRequest } from "./endpoints/spiffe.ts";
export type { Account } from "./identities/accounts.ts";
export type { HttpResponse } from "./http/response.ts";
export type { Behaviour, BehaviourOptions, FixedResponse } from "./steering/behaviours.ts";
export type { AuthorityClock } from "./steering/clock.ts";
export type { Endpoint } from "./steering/endpoint-names.ts";
export type { TestAuthorityError, TestAuthorityErrorCode } from "./errors.ts";
export { ExpectedRequestMissing, ListenFailed, SignInLinkBroken } from "./errors.ts";
export type { MintAgentIdentityOptions } from "./identities/claims.ts";
export { agentIdentityAudience, agentIdentityIssuer } from "./identities/claims.ts";
export type { MintBearerOptions, MintedAgentIdentity } from "./identities/mint.ts";
export type { Decision } from "./oauth/authorize.ts";
export type { ChatgptTokens, MintChatgptTokensOptions } from "./oauth/tokens.ts";
export type {
  MintIdentityTokenOptions,
  ServiceAccount,
  WorkloadRuleOptions,
} from "./identities/workloads.ts";
export { gatewayClientId } from "./oauth/gateway.ts";
export { codexClientId } from "./oauth/tokens.ts";
export type { RecordedRequest, WaitOptions } from "./steering/request-log.ts";
export type { Tls } from "./http/certificate.ts";
export type { KeySet, PublicJwk } from "./identities/signing-keys.ts";
export type { Settings, TaskIdField } from "./state.ts";
export { startTestAuthority } from "./start.ts";
export type { TestAuthority, TestAuthorityOptions } from "./test-authority.ts";
