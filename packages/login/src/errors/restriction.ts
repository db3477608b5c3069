import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import type { CredentialSource } from "../credential/index.ts";

/**
 * The configuration forbids the current credential. `loggedOut` says whether stored credentials were removed.
 *
 * @example
 * ```ts
 * import { CredentialForbidden } from "@agent-auth/login/errors";
 *
 * const error = new CredentialForbidden({
 *   rule: "method",
 *   text: "ChatGPT login is required, but an API key is currently being used. Logging out.",
 *   source: { _tag: "Environment", variable: "CODEX_API_KEY" },
 *   loggedOut: false,
 * });
 * console.log(error.remedy, error.hint); // fixEnvironment Unset or replace CODEX_API_KEY.
 * ```
 */
export class CredentialForbidden extends Data.TaggedError("CredentialForbidden")<{
  /** The message, a text of docs/protocol.md §10. */
  readonly text: string;
  readonly rule: "method" | "workspace";
  readonly source: CredentialSource;
  readonly loggedOut: boolean;
}> {
  readonly code = "LOGIN_CREDENTIAL_FORBIDDEN";
  get remedy(): Remedy {
    return this.source._tag === "Environment" ? "fixEnvironment" : "signIn";
  }
  get hint(): string {
    if (this.source._tag === "Environment") return `Unset or replace ${this.source.variable}.`;
    return this.rule === "method"
      ? "Sign in with the method that your configuration requires."
      : "Sign in to a workspace that your configuration allows.";
  }
  override get message(): string {
    return this.text;
  }
}

const disabledTexts = {
  apiKey: "API key login is disabled. Use ChatGPT login instead.",
  chatgpt: "ChatGPT login is disabled. Use API key login instead.",
  accessToken: "Access token login is disabled. Use API key login instead.",
} as const;

/**
 * `forced_login_method` does not allow this login method. Nothing was read, sent or changed.
 *
 * @example
 * ```ts
 * import { LoginMethodDisabled } from "@agent-auth/login/errors";
 *
 * const error = new LoginMethodDisabled({ method: "apiKey" });
 * console.log(error.message); // API key login is disabled. Use ChatGPT login instead.
 * ```
 */
export class LoginMethodDisabled extends Data.TaggedError("LoginMethodDisabled")<{
  readonly method: keyof typeof disabledTexts;
}> {
  readonly code = "LOGIN_METHOD_DISABLED";
  readonly remedy: Remedy = "contactAdmin";
  readonly hint = "Use the other method, or change forced_login_method.";
  override get message(): string {
    return disabledTexts[this.method];
  }
}

/**
 * The new sign-in belongs to a workspace that `forced_chatgpt_workspace_id` does not list. Nothing was saved.
 *
 * @example
 * ```ts
 * import { WorkspaceNotAllowed } from "@agent-auth/login/errors";
 *
 * const error = new WorkspaceNotAllowed({ allowed: ["ws-1"], found: "ws-2" });
 * console.log(error.message); // Login is restricted to workspace id(s) ws-1.
 * ```
 */
export class WorkspaceNotAllowed extends Data.TaggedError("WorkspaceNotAllowed")<{
  readonly allowed: ReadonlyArray<string>;
  /** Absent if the sign-in names no workspace. */
  readonly found?: string;
}> {
  readonly code = "LOGIN_WORKSPACE_NOT_ALLOWED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Sign in to an allowed workspace.";
  override get message(): string {
    return `Login is restricted to workspace id(s) ${this.allowed.join(", ")}.`;
  }
}

export type RestrictionError = CredentialForbidden | LoginMethodDisabled | WorkspaceNotAllowed;
