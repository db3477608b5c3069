import type { Remedy } from "@agent-auth/agent-identity/errors";
import type { LoginError } from "@agent-auth/login/errors";
import * as Data from "effect/Data";
import type { HeaderInvalid } from "./configuration.ts";

/** The provider needs a sign-in, but no account is signed in. */
export class SignInRequired extends Data.TaggedError("SignInRequired")<{
  readonly providerId: string;
}> {
  readonly code = "PROVIDER_SIGN_IN_REQUIRED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Sign in.";
  override get message(): string {
    return `model provider ${JSON.stringify(this.providerId)} needs a sign-in, but no account is signed in`;
  }
}

/** An auth manager from another library failed with its own error. */
export class CredentialUnavailable extends Data.TaggedError("CredentialUnavailable")<{
  /** Class or type of the foreign error. Its message is left out because it may quote a secret. */
  readonly reason: string;
}> {
  readonly code = "PROVIDER_CREDENTIAL_UNAVAILABLE";
  readonly remedy: Remedy = "retry";
  readonly hint = "Check the program that supplies the credential.";
  override get message(): string {
    return `the credential could not be loaded (${this.reason})`;
  }
}

/** The agent's key could not sign the request. */
export class SigningFailed extends Data.TaggedError("SigningFailed")<{
  readonly reason: string;
}> {
  readonly code = "PROVIDER_SIGNING_FAILED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Sign in again.";
  override get message(): string {
    return `the request could not be signed (${this.reason})`;
  }
}

/** A provider's token command returned no token. Its arguments are left out because they may be secrets. */
export class TokenCommandFailed extends Data.TaggedError("TokenCommandFailed")<{
  readonly command: string;
  readonly reason:
    | { readonly _tag: "NotStarted"; readonly errno: string }
    | { readonly _tag: "TimedOut"; readonly afterMs: number }
    | { readonly _tag: "Exited"; readonly exitCode: number; readonly stderr: string }
    | { readonly _tag: "Killed"; readonly signal: string; readonly stderr: string }
    | {
        readonly _tag: "BadOutput";
        readonly what: "empty" | "notOneToken" | "notUtf8" | "tooLong";
      };
}> {
  readonly code = "PROVIDER_TOKEN_COMMAND_FAILED";
  readonly remedy: Remedy = "fixConfig";
  readonly hint = "Run the command yourself and check its output.";
  override get message(): string {
    return `token command ${JSON.stringify(this.command)} ${describeCommandFailure(this.reason)}`;
  }
}

const quoteStderr = (stderr: string): string => (stderr === "" ? "" : `: ${stderr}`);

const describeCommandFailure = (reason: TokenCommandFailed["reason"]): string => {
  switch (reason._tag) {
    case "NotStarted":
      return `could not be started (${reason.errno})`;
    case "TimedOut":
      return `returned no token within ${reason.afterMs} ms`;
    case "Exited":
      return `failed with exit code ${reason.exitCode}${quoteStderr(reason.stderr)}`;
    case "Killed":
      return `was terminated by ${reason.signal}${quoteStderr(reason.stderr)}`;
    default:
      return commandOutputs[reason.what];
  }
};

const commandOutputs = {
  empty: "printed nothing",
  notOneToken: "printed more than one token",
  notUtf8: "printed output that is not UTF-8",
  tooLong: "printed more output than a token can have",
} as const;

/** Why a request could not be authenticated. Nothing was sent. */
export type SignError =
  | LoginError
  | HeaderInvalid
  | SignInRequired
  | CredentialUnavailable
  | SigningFailed
  | TokenCommandFailed;
