/**
 * The errors of this package: `_tag` for Effect, `code` for programs, `message` for people. Texts that Codex's app server
 * sends are kept to the letter, which is why some are sentences. No field contains a secret.
 */
import type { Remedy } from "@agent-auth/agent-identity/errors";
import type { LoginError } from "@agent-auth/login/errors";
import type { ModelProviderError } from "@agent-auth/model-provider/errors";
import type { ClientError } from "./client.ts";
import type { GatewayLoginError } from "./gateway.ts";
import type { RequestError } from "./request.ts";
import * as Data from "effect/Data";

export * from "./client.ts";
export * from "./gateway.ts";
export * from "./listener.ts";
export * from "./request.ts";

/**
 * Tokens that a client lent are in use, so another sign-in would not take effect. Nothing was changed.
 *
 * @example
 * ```ts
 * import { ExternalAuthActive } from "@agent-auth/app-server/errors";
 *
 * const error = new ExternalAuthActive();
 * console.log(error.code); // APP_SERVER_EXTERNAL_AUTH_ACTIVE
 * ```
 */
export class ExternalAuthActive extends Data.TaggedError("ExternalAuthActive")<{}> {
  readonly code = "APP_SERVER_EXTERNAL_AUTH_ACTIVE";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Log out first, or lend other tokens.";
  override get message(): string {
    return "External auth is active. Use account/login/start (chatgptAuthTokens) to update it or account/logout to clear it.";
  }
}

/**
 * The host of this server configured the credential, and its clients must not change it. Nothing was changed.
 *
 * @example
 * ```ts
 * import { HostOwnsAuth } from "@agent-auth/app-server/errors";
 *
 * const error = new HostOwnsAuth();
 * console.log(error.code); // APP_SERVER_HOST_OWNS_AUTH
 * ```
 */
export class HostOwnsAuth extends Data.TaggedError("HostOwnsAuth")<{}> {
  readonly code = "APP_SERVER_HOST_OWNS_AUTH";
  readonly remedy: Remedy = "contactAdmin";
  readonly hint = "Change the credential where this server is configured.";
  override get message(): string {
    return "Configured external authentication is owned by the app-server host and cannot be changed through account RPCs.";
  }
}

/**
 * `forced_login_method` does not allow tokens that a client lends. Nothing was changed.
 *
 * @example
 * ```ts
 * import { ExternalAuthDisabled } from "@agent-auth/app-server/errors";
 *
 * const error = new ExternalAuthDisabled();
 * console.log(error.code); // APP_SERVER_EXTERNAL_AUTH_DISABLED
 * ```
 */
export class ExternalAuthDisabled extends Data.TaggedError("ExternalAuthDisabled")<{}> {
  readonly code = "APP_SERVER_EXTERNAL_AUTH_DISABLED";
  readonly remedy: Remedy = "contactAdmin";
  readonly hint = "Use an API key, or change forced_login_method.";
  override get message(): string {
    return "External ChatGPT auth is disabled. Use API key login instead.";
  }
}

/**
 * Lent tokens belong to a workspace that `forced_chatgpt_workspace_id` does not list. They are not used.
 *
 * @example
 * ```ts
 * import { ExternalWorkspaceNotAllowed } from "@agent-auth/app-server/errors";
 *
 * const error = new ExternalWorkspaceNotAllowed({ allowed: ["ws-1"], found: "ws-2" });
 * console.log(error.message); // External auth must use one of workspace(s) ["ws-1"], but received "ws-2".
 * ```
 */
export class ExternalWorkspaceNotAllowed extends Data.TaggedError("ExternalWorkspaceNotAllowed")<{
  readonly allowed: ReadonlyArray<string>;
  readonly found: string;
}> {
  readonly code = "APP_SERVER_EXTERNAL_WORKSPACE_NOT_ALLOWED";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Lend tokens of an allowed workspace.";
  override get message(): string {
    const allowed = JSON.stringify(this.allowed).replaceAll('","', '", "');
    return `External auth must use one of workspace(s) ${allowed}, but received ${JSON.stringify(this.found)}.`;
  }
}

/**
 * A lent access token is not a JWT. It is not used.
 *
 * @example
 * ```ts
 * import { LentTokenInvalid } from "@agent-auth/app-server/errors";
 *
 * const error = new LentTokenInvalid();
 * console.log(error.message); // failed to set external auth: invalid ID token format
 * ```
 */
export class LentTokenInvalid extends Data.TaggedError("LentTokenInvalid")<{}> {
  readonly code = "APP_SERVER_LENT_TOKEN_INVALID";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Lend an access token that is a JWT.";
  override get message(): string {
    return "failed to set external auth: invalid ID token format";
  }
}

/**
 * The client that lent tokens was asked for new ones and did not send any.
 *
 * @example
 * ```ts
 * import { LentTokensNotRefreshed } from "@agent-auth/app-server/errors";
 *
 * const error = new LentTokensNotRefreshed({ reason: "invalid auth refresh response" });
 * console.log(error.message); // invalid auth refresh response
 * ```
 */
export class LentTokensNotRefreshed extends Data.TaggedError("LentTokensNotRefreshed")<{
  /** A text of Codex, with the client's own message if it sent one. */
  readonly reason: string;
}> {
  readonly code = "APP_SERVER_LENT_TOKENS_NOT_REFRESHED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Sign in again in the client that lends its tokens.";
  override get message(): string {
    return this.reason;
  }
}

/**
 * The login server could not listen, because other programs hold all of its ports.
 *
 * @example
 * ```ts
 * import { LoginServerPortTaken } from "@agent-auth/app-server/errors";
 *
 * const error = new LoginServerPortTaken({ ports: [1455, 1457] });
 * console.log(error.message); // failed to start login server: Port 127.0.0.1:1457 is already in use
 * ```
 */
export class LoginServerPortTaken extends Data.TaggedError("LoginServerPortTaken")<{
  readonly ports: ReadonlyArray<number>;
}> {
  readonly code = "APP_SERVER_LOGIN_PORT_TAKEN";
  readonly remedy: Remedy = "retry";
  get hint(): string {
    return `End the program that holds port ${this.ports.join(" or ")}, or sign in with a device code.`;
  }
  override get message(): string {
    return `failed to start login server: Port 127.0.0.1:${this.ports.at(-1)} is already in use`;
  }
}

/**
 * The authority does not offer device codes.
 *
 * @example
 * ```ts
 * import { DeviceCodeLoginNotEnabled } from "@agent-auth/app-server/errors";
 *
 * const error = new DeviceCodeLoginNotEnabled();
 * console.log(error.code); // APP_SERVER_DEVICE_CODE_NOT_ENABLED
 * ```
 */
export class DeviceCodeLoginNotEnabled extends Data.TaggedError("DeviceCodeLoginNotEnabled")<{}> {
  readonly code = "APP_SERVER_DEVICE_CODE_NOT_ENABLED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Use the browser login.";
  override get message(): string {
    return "device code login is not enabled for this Codex server. Use the browser login or verify the server URL.";
  }
}

/**
 * The authority did not issue a device code.
 *
 * @example
 * ```ts
 * import { DeviceCodeUnavailable } from "@agent-auth/app-server/errors";
 *
 * const error = new DeviceCodeUnavailable({
 *   reason: "the authority cannot be reached",
 *   remedy: "fixNetwork",
 *   hint: "Check the network connection.",
 * });
 * console.log(error.message); // failed to request device code: the authority cannot be reached
 * ```
 */
export class DeviceCodeUnavailable extends Data.TaggedError("DeviceCodeUnavailable")<{
  readonly reason: string;
  readonly remedy: Remedy;
  readonly hint: string;
}> {
  readonly code = "APP_SERVER_DEVICE_CODE_UNAVAILABLE";
  override get message(): string {
    return `failed to request device code: ${this.reason}`;
  }
}

/**
 * A login id is not a UUID.
 *
 * @example
 * ```ts
 * import { InvalidLoginId } from "@agent-auth/app-server/errors";
 *
 * const error = new InvalidLoginId({ loginId: "1" });
 * console.log(error.message); // invalid login id: 1
 * ```
 */
export class InvalidLoginId extends Data.TaggedError("InvalidLoginId")<{
  readonly loginId: string;
}> {
  readonly code = "APP_SERVER_INVALID_LOGIN_ID";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Pass the loginId that account/login/start returned.";
  override get message(): string {
    return `invalid login id: ${this.loginId}`;
  }
}

/**
 * A thread id is not a UUID.
 *
 * @example
 * ```ts
 * import { InvalidThreadId } from "@agent-auth/app-server/errors";
 *
 * console.log(new InvalidThreadId({ threadId: "nope" }).message); // invalid thread id: nope
 * ```
 */
export class InvalidThreadId extends Data.TaggedError("InvalidThreadId")<{
  readonly threadId: string;
}> {
  readonly code = "APP_SERVER_INVALID_THREAD_ID";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Pass the id of a thread that thread/start returned.";
  override get message(): string {
    return `invalid thread id: ${this.threadId}`;
  }
}

/**
 * A request to the account's backend needs a ChatGPT sign-in, and there is none. Nothing was sent.
 *
 * @example
 * ```ts
 * import { AccountAuthRequired } from "@agent-auth/app-server/errors";
 *
 * const error = new AccountAuthRequired({ purpose: "to read rate limits", isSignedIn: false });
 * console.log(error.message); // codex account authentication required to read rate limits
 * ```
 */
export class AccountAuthRequired extends Data.TaggedError("AccountAuthRequired")<{
  /** What the sign-in is needed for, as in `to read rate limits`. */
  readonly purpose: string;
  /** Whether there is a credential, of another kind. */
  readonly isSignedIn: boolean;
}> {
  readonly code = "APP_SERVER_ACCOUNT_AUTH_REQUIRED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Sign in with ChatGPT.";
  override get message(): string {
    const kind = this.isSignedIn ? "chatgpt" : "codex account";
    return `${kind} authentication required ${this.purpose}`;
  }
}

/**
 * The account's backend failed, or its response cannot be used.
 *
 * @example
 * ```ts
 * import { BackendRequestFailed } from "@agent-auth/app-server/errors";
 *
 * const error = new BackendRequestFailed({ attempt: "failed to fetch codex rate limits", reason: "unexpected response" });
 * console.log(error.message); // failed to fetch codex rate limits: unexpected response
 * ```
 */
export class BackendRequestFailed extends Data.TaggedError("BackendRequestFailed")<{
  /** What was attempted, as in `failed to fetch codex rate limits`. */
  readonly attempt: string;
  readonly reason: string;
  readonly status?: number;
}> {
  readonly code = "APP_SERVER_BACKEND_REQUEST_FAILED";
  get remedy(): Remedy {
    const { status } = this;
    if (status === undefined) return "fixNetwork";
    return status === 401 || status === 403 ? "signIn" : "retry";
  }
  readonly hint = "Try again in a minute. If the backend is self-hosted, check chatgpt_base_url.";
  override get message(): string {
    return `${this.attempt}: ${this.reason}`;
  }
}

/**
 * A workspace cannot be selected.
 *
 * @example
 * ```ts
 * import { WorkspaceSwitchRefused } from "@agent-auth/app-server/errors";
 *
 * const error = new WorkspaceSwitchRefused({ reason: "The selected workspace is unavailable" });
 * console.log(error.message); // The selected workspace is unavailable
 * ```
 */
export class WorkspaceSwitchRefused extends Data.TaggedError("WorkspaceSwitchRefused")<{
  readonly reason: string;
}> {
  readonly code = "APP_SERVER_WORKSPACE_SWITCH_REFUSED";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Choose a workspace of accountSession/list.";
  override get message(): string {
    return this.reason;
  }
}

/** Errors of the account service in addition to those of login and model-provider. */
export type AccountServiceOwnError =
  | AccountAuthRequired
  | BackendRequestFailed
  | DeviceCodeLoginNotEnabled
  | DeviceCodeUnavailable
  | ExternalAuthActive
  | ExternalAuthDisabled
  | ExternalWorkspaceNotAllowed
  | GatewayLoginError
  | HostOwnsAuth
  | InvalidLoginId
  | InvalidThreadId
  | LentTokenInvalid
  | LentTokensNotRefreshed
  | LoginServerPortTaken
  | WorkspaceSwitchRefused;

/** Everything that the account service can fail with. */
export type AccountServiceError = AccountServiceOwnError | LoginError | ModelProviderError;

/** Every error with which a request of a client can be answered. Errors of opening a listener are `ListenerError`. */
export type AppServerError = AccountServiceError | ClientError | RequestError;

/** Every `code` of an `AppServerError`. */
export type AppServerErrorCode = AppServerError["code"];

/**
 * Returns whether a thrown value is an error of this package or of the packages that it uses. The shape decides, not the
 * class.
 *
 * @example
 * ```ts
 * import { ExternalAuthActive, isAppServerError } from "@agent-auth/app-server/errors";
 *
 * isAppServerError(new ExternalAuthActive()); // true
 * isAppServerError(new Error("no")); // false
 * ```
 */
export const isAppServerError = (error: unknown): error is AppServerError =>
  error instanceof Error &&
  "_tag" in error &&
  "hint" in error &&
  "code" in error &&
  typeof error.code === "string" &&
  /^(?:AGENT_IDENTITY|APP_SERVER|LOGIN|PROVIDER)_/.test(error.code);
