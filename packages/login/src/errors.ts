import type { AgentIdentityError } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import type { CredentialSource } from "./credential.ts";
import type { SignInError } from "./errors/sign-in.ts";
import type { ConfigError, HttpClientError, StoreError } from "./errors/storage.ts";

export * from "./errors/storage.ts";

// Every class: `_tag` for Effect, `code` stable for everyone, `message` says what happened, `hint` one next deed.
// Fields are printed wherever an error is printed, so none holds a secret. Texts of PROTOCOL §9, §10 and §13 are
// kept to the letter, which is why some are sentences.

const signInAgain = "Sign in again.";
const tryAgain = "Try again in a moment.";

// --- Finding a credential --------------------------------------------------------------------------------------

/** A source holds something that is no usable credential. It is left as it is, and no weaker source is asked. */
export class CredentialUnusable extends Data.TaggedError("CredentialUnusable")<{
  readonly source: CredentialSource;
  /** What is wrong with it; never its value. */
  readonly reason: string;
}> {
  readonly code = "LOGIN_CREDENTIAL_UNUSABLE";
  get hint(): string {
    return this.source._tag === "Environment"
      ? `Correct or unset ${this.source.variable}.`
      : signInAgain;
  }
  override get message(): string {
    return `${describeSource(this.source)}: ${this.reason}`;
  }
}

/** An operation needs a credential, and there is none. */
export class NotSignedIn extends Data.TaggedError("NotSignedIn")<{}> {
  readonly code = "LOGIN_NOT_SIGNED_IN";
  readonly hint = "Sign in.";
  override get message(): string {
    return "not signed in";
  }
}

/** A program that owns ChatGPT tokens was asked for them and gave none. */
export class ExternalProviderFailed extends Data.TaggedError("ExternalProviderFailed")<{
  readonly provider: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_EXTERNAL_PROVIDER_FAILED";
  readonly hint = "Sign in again in the program that supplies these tokens.";
  override get message(): string {
    return `${this.provider} did not supply ChatGPT tokens: ${this.reason}`;
  }
}

/** The accounts API does not know this personal access token (any more). */
export class PersonalAccessTokenRejected extends Data.TaggedError("PersonalAccessTokenRejected")<{
  readonly status: number;
}> {
  readonly code = "LOGIN_PERSONAL_ACCESS_TOKEN_REJECTED";
  readonly hint = "Make a new personal access token.";
  override get message(): string {
    return `personal access token was rejected with status ${this.status}`;
  }
}

/** Whose personal access token it is could not be found out; the token itself may be good. */
export class PersonalAccessTokenLookupFailed extends Data.TaggedError(
  "PersonalAccessTokenLookupFailed",
)<{
  readonly status?: number;
  readonly reason: string;
}> {
  readonly code = "LOGIN_PERSONAL_ACCESS_TOKEN_LOOKUP_FAILED";
  readonly hint = tryAgain;
  override get message(): string {
    return `failed to look up personal access token: ${this.reason}`;
  }
}

export type CredentialError =
  | CredentialUnusable
  | NotSignedIn
  | ExternalProviderFailed
  | PersonalAccessTokenRejected
  | PersonalAccessTokenLookupFailed;

// --- Signing in and out ----------------------------------------------------------------------------------------

/** What was given to a login is not of the form that this login takes. Nothing was sent or saved. */
export class InvalidLoginInput extends Data.TaggedError("InvalidLoginInput")<{
  readonly what: "API key" | "access token" | "ChatGPT tokens";
  readonly reason: string;
}> {
  readonly code = "LOGIN_INVALID_INPUT";
  readonly hint = "Check what was passed in.";
  override get message(): string {
    return `invalid ${this.what}: ${this.reason}`;
  }
}

/** A variable rules, so a login or logout would change nothing that the next request uses. Nothing was changed. */
export class EnvironmentCredentialRules extends Data.TaggedError("EnvironmentCredentialRules")<{
  readonly variable: string;
}> {
  readonly code = "LOGIN_ENVIRONMENT_RULES";
  get hint(): string {
    return `Unset ${this.variable} first.`;
  }
  override get message(): string {
    return `${this.variable} is set and is used instead of anything stored; nothing was changed`;
  }
}

/** The store is process memory only, and the caller wants a sign-in that outlives it. */
export class NothingWouldBeKept extends Data.TaggedError("NothingWouldBeKept")<{}> {
  readonly code = "LOGIN_NOTHING_WOULD_BE_KEPT";
  readonly hint = 'Set cli_auth_credentials_store to "file", "keyring" or "auto".';
  override get message(): string {
    return "credentials are kept in memory only (cli_auth_credentials_store is ephemeral)";
  }
}

export type LoginInputError = InvalidLoginInput | EnvironmentCredentialRules | NothingWouldBeKept;

// --- Refreshing ------------------------------------------------------------------------------------------------

const couldNot = "Your access token could not be refreshed";
const rejections = {
  expired: `${couldNot} because your refresh token has expired. Please log out and sign in again.`,
  reused: `${couldNot} because your refresh token was already used. Please log out and sign in again.`,
  revoked: `${couldNot} because your refresh token was revoked. Please log out and sign in again.`,
  other: `${couldNot}. Please log out and sign in again.`,
} as const;

/** The authority will not honour this refresh token again; only a new sign-in helps. */
export class RefreshRejected extends Data.TaggedError("RefreshRejected")<{
  readonly reason: keyof typeof rejections;
  readonly accountId?: string;
}> {
  readonly code = "LOGIN_REFRESH_REJECTED";
  readonly hint = signInAgain;
  override get message(): string {
    return rejections[this.reason];
  }
}

/** While a refresh was wanted, the stored sign-in went away or became another account's. Nothing was spent. */
export class RefreshAccountChanged extends Data.TaggedError("RefreshAccountChanged")<{
  readonly expectedAccountId?: string;
  readonly foundAccountId?: string;
}> {
  readonly code = "LOGIN_REFRESH_ACCOUNT_CHANGED";
  readonly hint = signInAgain;
  override get message(): string {
    return `${couldNot} because you have since logged out or signed in to another account. Please sign in again.`;
  }
}

/**
 * A refresh failed in a way that may pass. The stored tokens are unchanged; only where the answer brought other tokens,
 * but no access token, those are kept.
 */
export class RefreshFailed extends Data.TaggedError("RefreshFailed")<{
  readonly status?: number;
  readonly attempts: number;
  readonly reason: string;
}> {
  readonly code = "LOGIN_REFRESH_FAILED";
  readonly hint = tryAgain;
  override get message(): string {
    const times = this.attempts === 1 ? "" : ` after ${this.attempts} attempts`;
    return `access token could not be refreshed${times}: ${this.reason}`;
  }
}

/** This kind of credential cannot be renewed. */
export class RefreshUnsupported extends Data.TaggedError("RefreshUnsupported")<{
  readonly kind: string;
}> {
  readonly code = "LOGIN_REFRESH_UNSUPPORTED";
  readonly hint = "Replace it where it came from, or sign in with ChatGPT.";
  override get message(): string {
    return `a credential of kind ${this.kind} cannot be refreshed`;
  }
}

export type RefreshError =
  | RefreshRejected
  | RefreshAccountChanged
  | RefreshFailed
  | RefreshUnsupported;

// --- Restrictions ----------------------------------------------------------------------------------------------

/** The configuration forbids the current credential; `loggedOut` tells whether stored credentials were removed. */
export class CredentialForbidden extends Data.TaggedError("CredentialForbidden")<{
  /** PROTOCOL §10, to the letter. */
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

// --- Browser and device sign-in --------------------------------------------------------------------------------

export * from "./errors/sign-in.ts";

// --- The Promise face ------------------------------------------------------------------------------------------

/** The manager was used after its `close()`, or closed while the call was under way. */
export class ManagerClosed extends Data.TaggedError("ManagerClosed") {
  readonly code = "LOGIN_MANAGER_CLOSED";
  readonly hint = "Close the manager when no call needs it any more.";
  override get message(): string {
    return "this auth manager is closed";
  }
}

// --- All of them -----------------------------------------------------------------------------------------------

export type LoginError =
  | AgentIdentityError
  | ConfigError
  | CredentialError
  | HttpClientError
  | LoginInputError
  | ManagerClosed
  | RefreshError
  | RestrictionError
  | SignInError
  | StoreError;

/** Every `code` that this package can answer with, so that a switch over them is checked for completeness. */
export type LoginErrorCode = LoginError["code"];

/** Tells an error of this package, or of the floor below it, from anything else that was thrown. */
export const isLoginError = (error: unknown): error is LoginError =>
  error instanceof Error &&
  "code" in error &&
  typeof error.code === "string" &&
  /^(?:LOGIN|AGENT_IDENTITY)_/.test(error.code);

/** Names a source in words: `CODEX_API_KEY`, a path, `OS keyring`. */
export const describeSource = (source: CredentialSource): string => {
  switch (source._tag) {
    case "Environment":
      return source.variable;
    case "File":
      return source.path;
    case "Keyring":
      return "OS keyring";
    case "Ephemeral":
      return "memory of this process";
    case "External":
      return source.name;
  }
};
