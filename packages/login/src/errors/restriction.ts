import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import type { Credential, CredentialSource } from "../credential/index.ts";

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
  /** The error message: one of the texts in docs/protocol.md §10. */
  readonly text: string;
  readonly rule: "method" | "workspace";
  readonly source: CredentialSource;
  readonly loggedOut: boolean;
}> {
  readonly code = "LOGIN_CREDENTIAL_FORBIDDEN";
  get remedy(): Remedy {
    if (this.source._tag === "WorkloadIdentity") return "contactAdmin";
    return this.source._tag === "Environment" ? "fixEnvironment" : "signIn";
  }
  get hint(): string {
    if (this.source._tag === "WorkloadIdentity")
      return `Use a workload identity that your configuration allows, or unset ${this.source.setting}.`;
    if (this.source._tag === "Environment") return `Unset or replace ${this.source.variable}.`;
    return this.rule === "method"
      ? "Sign in with the method that your configuration requires."
      : "Sign in to a workspace that your configuration allows.";
  }
  override get message(): string {
    return this.text;
  }
}

/** The name and the location of an administrator's rule. */
export interface RuleReference {
  /** Such as `allowed_login_methods`. */
  readonly key: string;
  /** The file's path, or the name of the workspace's policy. */
  readonly where: string;
}

/**
 * An administrator's rule does not allow the current credential. The credential is kept, but nothing is sent with it.
 *
 * @example
 * ```ts
 * import { ForbiddenByAdministrator } from "@agent-auth/login/errors";
 *
 * const error = new ForbiddenByAdministrator({
 *   key: "allowed_chatgpt_workspaces",
 *   where: "/etc/codex/requirements.toml",
 *   kind: "Chatgpt",
 *   source: { _tag: "Ephemeral" },
 *   allowed: ["ws-1"],
 *   found: "ws-2",
 * });
 * console.log(error.message);
 * // allowed_chatgpt_workspaces in /etc/codex/requirements.toml does not allow workspace ws-2
 * ```
 */
export class ForbiddenByAdministrator extends Data.TaggedError("ForbiddenByAdministrator")<
  RuleReference & {
    readonly kind: Credential["_tag"];
    readonly source: CredentialSource;
    /** The methods or workspaces that the rule allows. */
    readonly allowed: ReadonlyArray<string>;
    /** The workspace that a rule about workspaces does not allow; absent if the credential names none. */
    readonly found?: string;
  }
> {
  readonly code = "LOGIN_FORBIDDEN_BY_ADMINISTRATOR";
  readonly remedy: Remedy = "contactAdmin";
  get hint(): string {
    const what = isAboutMethods(this) ? "method" : "workspace";
    const allowed = this.allowed.length === 0 ? "none" : this.allowed.join(", ");
    const kept =
      this.source._tag === "Environment"
        ? `Unset or replace ${this.source.variable}`
        : `The stored credential was kept and not used. Sign in with an allowed ${what}`;
    return `${kept}, or ask your administrator (allowed: ${allowed}).`;
  }
  override get message(): string {
    const { found, key, kind, where } = this;
    const rule = `${key} in ${where}`;
    if (isAboutMethods(this)) {
      return `${rule} does not allow ${kind === "ApiKey" ? "API keys" : "ChatGPT sign-ins and access tokens"}`;
    }
    return found === undefined
      ? `${rule} does not allow a credential without a workspace`
      : `${rule} does not allow workspace ${found}`;
  }
}

const isAboutMethods = ({ key }: RuleReference): boolean =>
  key === "allowed_login_methods" || key === "forced_login_method";

const disabledTexts = {
  apiKey: "API key login is disabled. Use ChatGPT login instead.",
  chatgpt: "ChatGPT login is disabled. Use API key login instead.",
  accessToken: "Access token login is disabled. Use API key login instead.",
} as const;

/**
 * `forced_login_method` or an administrator's rule does not allow this login method. Nothing was read, sent or changed.
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
  /** Absent if the user's own configuration disables it. */
  readonly rule?: RuleReference;
}> {
  readonly code = "LOGIN_METHOD_DISABLED";
  readonly remedy: Remedy = "contactAdmin";
  get hint(): string {
    return this.rule === undefined
      ? "Use the other method, or change forced_login_method."
      : `Use the other method: ${this.rule.key} in ${this.rule.where} is a rule of your administrator.`;
  }
  override get message(): string {
    return disabledTexts[this.method];
  }
}

/**
 * `forced_chatgpt_workspace_id` or an administrator's rule does not allow the workspace of the new sign-in. Nothing was
 * saved.
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
  /** Absent if the user's own configuration restricts the workspaces. */
  readonly rule?: RuleReference;
}> {
  readonly code = "LOGIN_WORKSPACE_NOT_ALLOWED";
  readonly remedy: Remedy = "signIn";
  get hint(): string {
    const because =
      this.rule === undefined
        ? ""
        : ` ${this.rule.key} in ${this.rule.where} is a rule of your administrator.`;
    return `Sign in to an allowed workspace.${because}`;
  }
  override get message(): string {
    return this.allowed.length === 0
      ? "Login is restricted, and no workspace is allowed."
      : `Login is restricted to workspace id(s) ${this.allowed.join(", ")}.`;
  }
}

export type RestrictionError =
  | CredentialForbidden
  | ForbiddenByAdministrator
  | LoginMethodDisabled
  | WorkspaceNotAllowed;
