import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

const subjects = { policy: "the policy", routing: "the routing" } as const;

/**
 * The routing or the policy of a workspace could not be loaded from the backend. No request is sent without them.
 *
 * @example
 * ```ts
 * import { WorkspaceCheckFailed } from "@agent-auth/login/errors";
 *
 * const error = new WorkspaceCheckFailed({
 *   what: "policy",
 *   workspaceId: "ws-1",
 *   origin: "https://chatgpt.com",
 *   status: 503,
 *   reason: "it responded with status 503",
 * });
 * console.log(error.message);
 * // cannot load the policy of workspace ws-1 from https://chatgpt.com: it responded with status 503
 * ```
 */
export class WorkspaceCheckFailed extends Data.TaggedError("WorkspaceCheckFailed")<{
  readonly what: keyof typeof subjects;
  readonly workspaceId: string;
  readonly origin: string;
  /** Absent if there was no response. */
  readonly status?: number;
  readonly reason: string;
  /** The hint of the error of the failed request, if there was no response. */
  readonly requestHint?: string;
}> {
  readonly code = "LOGIN_WORKSPACE_CHECK_FAILED";
  get remedy(): Remedy {
    if (this.status === 401) return "signIn";
    if (this.status === 403) return "contactAdmin";
    return this.status === undefined ? "fixNetwork" : "retry";
  }
  get hint(): string {
    if (this.status === 401) return "Sign in again.";
    if (this.status === 403) return "Ask the administrator of the workspace.";
    return this.requestHint ?? "Try again later.";
  }
  override get message(): string {
    return `cannot load ${subjects[this.what]} of workspace ${this.workspaceId} from ${this.origin}: ${this.reason}`;
  }
}

const refusals = {
  otherOrigin:
    "it is neither the configured backend, nor chatgpt.com, nor in agent_auth.backend_origins",
  notAnOrigin: "it is not an https origin",
  missingWorkspace: "the response does not list the workspace",
  missingOrigin: "the response does not name an origin",
  unknownOverride: "the response has an unknown routing override",
  backendRequired: "an administrator's rule requires the configured backend",
} as const;

/**
 * The backend routes the requests of a workspace to an origin that is not trusted, or its response is incomplete. No
 * request is sent.
 *
 * @example
 * ```ts
 * import { WorkspaceRoutingRefused } from "@agent-auth/login/errors";
 *
 * const error = new WorkspaceRoutingRefused({
 *   workspaceId: "ws-1",
 *   why: "otherOrigin",
 *   origin: "https://elsewhere.example",
 * });
 * console.log(error.code); // LOGIN_WORKSPACE_ROUTING_REFUSED
 * ```
 */
export class WorkspaceRoutingRefused extends Data.TaggedError("WorkspaceRoutingRefused")<{
  readonly workspaceId: string;
  readonly why: keyof typeof refusals;
  /** The origin that the backend names. */
  readonly origin?: string;
}> {
  readonly code = "LOGIN_WORKSPACE_ROUTING_REFUSED";
  get remedy(): Remedy {
    return this.why === "otherOrigin" ? "fixConfig" : "contactAdmin";
  }
  get hint(): string {
    return this.why === "otherOrigin"
      ? "If your organization runs that backend, add its origin to backend_origins in the table [agent_auth] of config.toml."
      : "Ask the administrator of the workspace.";
  }
  override get message(): string {
    const to = this.origin === undefined ? "" : ` to ${this.origin}`;
    return `the backend's routing of workspace ${this.workspaceId}${to} is refused: ${refusals[this.why]}`;
  }
}

/**
 * The policy of a workspace sets a key that the configuration of this machine sets differently. Nothing is sent.
 *
 * @example
 * ```ts
 * import { WorkspacePolicyConflict } from "@agent-auth/login/errors";
 *
 * const error = new WorkspacePolicyConflict({
 *   key: "model_provider",
 *   where: 'the workspace policy "Providers"',
 *   value: "openai",
 * });
 * console.log(error.hint); // Set model_provider = "openai" in config.toml.
 * ```
 */
export class WorkspacePolicyConflict extends Data.TaggedError("WorkspacePolicyConflict")<{
  readonly key: string;
  /** The name of the policy. */
  readonly where: string;
  /** The value that the policy sets; absent if it is not a string. */
  readonly value?: string;
}> {
  readonly code = "LOGIN_WORKSPACE_POLICY_CONFLICT";
  readonly remedy: Remedy = "fixConfig";
  get hint(): string {
    return this.value === undefined
      ? `Set ${this.key} in config.toml to the value of the policy, or ask your administrator.`
      : `Set ${this.key} = ${JSON.stringify(this.value)} in config.toml.`;
  }
  override get message(): string {
    return `${this.where} sets ${this.key} to another value than the configuration of this machine`;
  }
}

/**
 * The workspace of a sign-in could not be switched. The sign-in was not changed.
 *
 * @example
 * ```ts
 * import { WorkspaceSwitchFailed } from "@agent-auth/login/errors";
 *
 * const error = new WorkspaceSwitchFailed({
 *   workspaceId: "ws-2",
 *   status: 403,
 *   reason: "HTTP 403 Forbidden",
 * });
 * console.log(error.message); // Workspace switch was rejected (HTTP 403 Forbidden)
 * ```
 */
export class WorkspaceSwitchFailed extends Data.TaggedError("WorkspaceSwitchFailed")<{
  readonly workspaceId: string;
  /** Absent if there was no response. */
  readonly status?: number;
  readonly reason: string;
  /** The hint of the error of the failed request, if there was no response. */
  readonly requestHint?: string;
}> {
  readonly code = "LOGIN_WORKSPACE_SWITCH_FAILED";
  get #isRejected(): boolean {
    return this.status !== undefined && this.status >= 400 && this.status < 500;
  }
  get remedy(): Remedy {
    if (this.#isRejected) return "signIn";
    return this.status === undefined && this.requestHint !== undefined ? "fixNetwork" : "retry";
  }
  get hint(): string {
    if (this.#isRejected) return "Sign in to that workspace.";
    return this.requestHint ?? "Try again later.";
  }
  override get message(): string {
    return this.#isRejected
      ? `Workspace switch was rejected (${this.reason})`
      : `the workspace could not be switched: ${this.reason}`;
  }
}

/**
 * Only the workspace of a stored ChatGPT sign-in can be switched. Nothing was sent.
 *
 * @example
 * ```ts
 * import { WorkspaceSwitchUnsupported } from "@agent-auth/login/errors";
 *
 * console.log(new WorkspaceSwitchUnsupported({ kind: "ApiKey" }).message);
 * // Workspace switching requires a managed ChatGPT login
 * ```
 */
export class WorkspaceSwitchUnsupported extends Data.TaggedError("WorkspaceSwitchUnsupported")<{
  /** The kind of the current credential; absent if there is none. */
  readonly kind?: string;
}> {
  readonly code = "LOGIN_WORKSPACE_SWITCH_UNSUPPORTED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Sign in with ChatGPT.";
  override get message(): string {
    return "Workspace switching requires a managed ChatGPT login";
  }
}

export type WorkspaceError =
  | WorkspaceCheckFailed
  | WorkspacePolicyConflict
  | WorkspaceRoutingRefused
  | WorkspaceSwitchFailed
  | WorkspaceSwitchUnsupported;
