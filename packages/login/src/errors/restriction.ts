import * as Data from "effect/Data";
import type { CredentialSource } from "../credential/index.ts";

/** The configuration forbids the current credential; `loggedOut` tells whether stored credentials were removed. */
export class CredentialForbidden extends Data.TaggedError("CredentialForbidden")<{
  /** docs/protocol.md §10, to the letter. */
  readonly text: string;
  readonly rule: "method" | "workspace";
  readonly source: CredentialSource;
  readonly loggedOut: boolean;
}> {
  readonly code = "LOGIN_CREDENTIAL_FORBIDDEN";
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

const disabled = {
  apiKey: "API key login is disabled. Use ChatGPT login instead.",
  chatgpt: "ChatGPT login is disabled. Use API key login instead.",
  accessToken: "Access token login is disabled. Use API key login instead.",
} as const;

/** `forced_login_method` rules this way of signing in out. Nothing was read, sent or changed. */
export class LoginMethodDisabled extends Data.TaggedError("LoginMethodDisabled")<{
  readonly method: keyof typeof disabled;
}> {
  readonly code = "LOGIN_METHOD_DISABLED";
  readonly hint = "Use the other method, or change forced_login_method.";
  override get message(): string {
    return disabled[this.method];
  }
}

/** The new sign-in belongs to a workspace that `forced_chatgpt_workspace_id` does not list. Nothing was saved. */
export class WorkspaceNotAllowed extends Data.TaggedError("WorkspaceNotAllowed")<{
  readonly allowed: ReadonlyArray<string>;
  readonly found?: string;
}> {
  readonly code = "LOGIN_WORKSPACE_NOT_ALLOWED";
  readonly hint = "Sign in to an allowed workspace.";
  override get message(): string {
    return `Login is restricted to workspace id(s) ${this.allowed.join(", ")}.`;
  }
}

export type RestrictionError = CredentialForbidden | LoginMethodDisabled | WorkspaceNotAllowed;
