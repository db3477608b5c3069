import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/** The credential that was passed to a login is malformed. Nothing was sent or saved. */
export class LoginInputInvalid extends Data.TaggedError("LoginInputInvalid")<{
  readonly what: "API key" | "access token" | "ChatGPT tokens";
  readonly reason: string;
}> {
  readonly code = "LOGIN_INPUT_INVALID";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Check the value that was passed in.";
  override get message(): string {
    return `invalid ${this.what}: ${this.reason}`;
  }
}

/**
 * An environment variable provides the credential, so a login or logout would not change what the next request uses.
 * Nothing was changed.
 */
export class EnvironmentCredentialOverrides extends Data.TaggedError(
  "EnvironmentCredentialOverrides",
)<{
  readonly variable: string;
}> {
  readonly code = "LOGIN_ENVIRONMENT_CREDENTIAL_OVERRIDES";
  readonly remedy: Remedy = "fixEnvironment";
  get hint(): string {
    return `Unset ${this.variable} first.`;
  }
  override get message(): string {
    return `${this.variable} is set and is used instead of anything stored; nothing was changed`;
  }
}

/** Credentials are stored only in process memory, but the caller requires a sign-in that outlives the process. */
export class PersistentStoreRequired extends Data.TaggedError("PersistentStoreRequired")<{}> {
  readonly code = "LOGIN_PERSISTENT_STORE_REQUIRED";
  readonly remedy: Remedy = "fixConfig";
  readonly hint = 'Set cli_auth_credentials_store to "file", "keyring" or "auto".';
  override get message(): string {
    return "credentials are kept in memory only (cli_auth_credentials_store is ephemeral)";
  }
}

export type LoginInputError =
  | LoginInputInvalid
  | EnvironmentCredentialOverrides
  | PersistentStoreRequired;
