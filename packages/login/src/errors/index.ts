/**
 * Every error of the package: `_tag` for Effect, a stable `code` for other programs, a `message` (what happened) and a
 * `hint` (one next step). Fields are printed with the error, so none contains a secret. Texts of docs/protocol.md §9,
 * §10 and §13 are kept to the letter, which is why some are sentences.
 */
import type { AgentIdentityError } from "@agent-auth/agent-identity/errors";
import type { AccountError } from "./account.ts";
import type { ConfigError } from "./config.ts";
import type { CredentialError } from "./credential.ts";
import type { GatewayError } from "./gateway.ts";
import type { HttpClientError } from "./http.ts";
import type { LoginInputError } from "./login-input.ts";
import type { ManagerClosed } from "./manager.ts";
import type { OwnerNotTrusted } from "./privilege.ts";
import type { RefreshError } from "./refresh.ts";
import type { RestrictionError } from "./restriction.ts";
import type { SignInError } from "./oauth.ts";
import type { RefreshLockError, StoreWarning } from "./store.ts";
import type { WorkloadIdentityError } from "./workload-identity.ts";
import type { WorkspaceError } from "./workspace.ts";

export * from "./account.ts";
export * from "./config.ts";
export * from "./credential.ts";
export * from "./gateway.ts";
export * from "./http.ts";
export * from "./login-input.ts";
export * from "./manager.ts";
export * from "./model-provider.ts";
export * from "./privilege.ts";
export * from "./refresh.ts";
export * from "./restriction.ts";
export * from "./oauth.ts";
export * from "./store.ts";
export {
  IdentityTokenUnavailable,
  WorkloadIdentityChanged,
  type WorkloadIdentityError,
  WorkloadIdentityInvalid,
  WorkloadIdentityRejected,
  WorkloadIdentityResponseInvalid,
  WorkloadIdentityUnavailable,
} from "./workload-identity.ts";
export * from "./workspace.ts";

/** Everything that this package can fail with, agent-identity's errors included. */
export type LoginError =
  | AccountError
  | AgentIdentityError
  | ConfigError
  | CredentialError
  | GatewayError
  | HttpClientError
  | LoginInputError
  | ManagerClosed
  | OwnerNotTrusted
  | RefreshError
  | RefreshLockError
  | RestrictionError
  | SignInError
  | StoreWarning
  | WorkloadIdentityError
  | WorkspaceError;

/** Every `code` of this package's errors, so that a switch over them is checked for completeness. */
export type LoginErrorCode = LoginError["code"];

/**
 * Returns whether a thrown value is an error of this package or of the packages that it uses.
 *
 * @example
 * ```ts
 * import { isLoginError } from "@agent-auth/login/errors";
 * import { createAuthManager } from "@agent-auth/login/promises";
 *
 * await using manager = createAuthManager({ environmentCredentials: false });
 * try {
 *   await manager.loginWithAccessToken("not a token");
 * } catch (error) {
 *   if (!isLoginError(error)) throw error;
 *   console.error(`${error.message} (${error.code}). ${error.hint}`);
 * }
 * ```
 */
export const isLoginError = (error: unknown): error is LoginError =>
  error instanceof Error &&
  "code" in error &&
  typeof error.code === "string" &&
  /^(?:LOGIN|AGENT_IDENTITY)_/.test(error.code);
