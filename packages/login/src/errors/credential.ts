import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import type { CredentialSource } from "../credential/index.ts";

/** A source contains something that is not a usable credential. It is left unchanged, and no later source is used. */
export class CredentialUnusable extends Data.TaggedError("CredentialUnusable")<{
  readonly source: CredentialSource;
  /** What is wrong with it; never its value. */
  readonly reason: string;
}> {
  readonly code = "LOGIN_CREDENTIAL_UNUSABLE";
  get remedy(): Remedy {
    return this.source._tag === "Environment" ? "fixEnvironment" : "signIn";
  }
  get hint(): string {
    return this.source._tag === "Environment"
      ? `Correct or unset ${this.source.variable}.`
      : "Sign in again.";
  }
  override get message(): string {
    return `${describeSource(this.source)}: ${this.reason}`;
  }
}

/** An operation needs a credential, and there is none. */
export class NotSignedIn extends Data.TaggedError("NotSignedIn")<{}> {
  readonly code = "LOGIN_NOT_SIGNED_IN";
  readonly hint = "Sign in.";
  readonly remedy: Remedy = "signIn";
  override get message(): string {
    return "not signed in";
  }
}

/** The program that owns the ChatGPT tokens did not supply them. */
export class ExternalProviderFailed extends Data.TaggedError("ExternalProviderFailed")<{
  readonly provider: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_EXTERNAL_PROVIDER_FAILED";
  readonly hint = "Sign in again in the program that supplies these tokens.";
  readonly remedy: Remedy = "signIn";
  override get message(): string {
    return `${this.provider} did not supply ChatGPT tokens: ${this.reason}`;
  }
}

/** The accounts API rejected this personal access token. */
export class PersonalAccessTokenRejected extends Data.TaggedError("PersonalAccessTokenRejected")<{
  readonly status: number;
}> {
  readonly code = "LOGIN_PERSONAL_ACCESS_TOKEN_REJECTED";
  readonly hint = "Create a new personal access token.";
  readonly remedy: Remedy = "signIn";
  override get message(): string {
    return `personal access token was rejected with status ${this.status}`;
  }
}

/** The account of a personal access token could not be looked up. The token itself may be valid. */
export class PersonalAccessTokenLookupFailed extends Data.TaggedError(
  "PersonalAccessTokenLookupFailed",
)<{
  readonly status?: number;
  readonly reason: string;
  readonly hint: string;
  readonly remedy: Remedy;
}> {
  readonly code = "LOGIN_PERSONAL_ACCESS_TOKEN_LOOKUP_FAILED";
  /** `hint` and `remedy` default to another attempt. */
  constructor(failure: {
    readonly status?: number;
    readonly reason: string;
    readonly hint?: string;
    readonly remedy?: Remedy;
  }) {
    super({ hint: "Try again in a minute.", remedy: "retry", ...failure });
  }
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

/**
 * Names a source in words: `CODEX_API_KEY`, a path, `OS keyring`.
 *
 * @example
 * ```ts
 * import { describeSource } from "@agent-auth/login/errors";
 *
 * console.log(describeSource({ _tag: "Environment", variable: "CODEX_API_KEY" })); // CODEX_API_KEY
 * ```
 */
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
    case "Store":
      return `${source.name} (${source.where})`;
    case "WorkloadIdentity":
      return `workload identity (${source.identitySource})`;
    case "External":
      return source.name;
  }
};
