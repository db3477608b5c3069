import type { LoginError } from "@agent-auth/login/errors";
import * as Data from "effect/Data";

// Every class: `_tag` for Effect, `code` stable for everyone, `message` says what happened, `hint` one next deed.
// Fields are printed wherever an error is printed, so none holds a header value, a token or a command's arguments.

// --- Configuration ---------------------------------------------------------------------------------------------

/** `model_provider`, or the id that was asked for, names no provider. */
export class UnknownProvider extends Data.TaggedError("UnknownProvider")<{
  readonly providerId: string;
  readonly known: ReadonlyArray<string>;
}> {
  readonly code = "PROVIDER_UNKNOWN";
  get hint(): string {
    return `Choose one of ${this.known.join(", ")}, or add [model_providers.${this.providerId}].`;
  }
  override get message(): string {
    return `there is no model provider ${JSON.stringify(this.providerId)}`;
  }
}

/** The URL that requests should go to is not one that an identity may be sent to. */
export class InvalidBaseUrl extends Data.TaggedError("InvalidBaseUrl")<{
  readonly providerId: string;
  /** The setting that holds the URL: a key of `config.toml`. */
  readonly setting: string;
  readonly reason:
    | "notAUrl"
    | "notHttp"
    | "holdsCredentials"
    | "holdsQueryOrFragment"
    | "insecureHttp";
}> {
  readonly code = "PROVIDER_INVALID_BASE_URL";
  get hint(): string {
    return this.reason === "insecureHttp"
      ? `Use https in ${this.setting}, or allow plain http explicitly.`
      : `Correct ${this.setting}.`;
  }
  override get message(): string {
    return `${this.setting} of model provider ${JSON.stringify(this.providerId)} ${baseUrlReasons[this.reason]}`;
  }
}

const baseUrlReasons = {
  notAUrl: "is not an absolute URL",
  notHttp: "is neither http nor https",
  holdsCredentials: "holds a user name or password",
  holdsQueryOrFragment: "holds a query or a fragment (query_params is the place for parameters)",
  insecureHttp: "is plain http to another machine, and a signed-in identity would travel over it",
} as const;

/** The variable that a provider's `env_key` names is unset, empty or blank. */
export class EnvKeyMissing extends Data.TaggedError("EnvKeyMissing")<{
  readonly providerId: string;
  readonly variable: string;
  /** `env_key_instructions`, as written in the configuration. */
  readonly instructions?: string;
}> {
  readonly code = "PROVIDER_ENV_KEY_MISSING";
  get hint(): string {
    return this.instructions ?? `Set ${this.variable}.`;
  }
  override get message(): string {
    const how = this.instructions === undefined ? "" : `: ${this.instructions}`;
    return `model provider ${JSON.stringify(this.providerId)} needs the variable ${this.variable}, which is not set${how}`;
  }
}

/** A header that would be sent is not a legal one (RFC 9110 §5.5). Its value is not told. */
export class IllegalHeader extends Data.TaggedError("IllegalHeader")<{
  readonly header: string;
  readonly from: "credential" | "http_headers" | "env_http_headers";
  readonly reason: "name" | "reserved" | "empty" | "surroundingSpace" | "controlByte" | "notAscii";
}> {
  readonly code = "PROVIDER_ILLEGAL_HEADER";
  get hint(): string {
    return this.from === "credential"
      ? "Sign in again, or replace the key or token."
      : `Correct ${this.from} in the configuration.`;
  }
  override get message(): string {
    const whose = this.from === "credential" ? "the credential" : this.from;
    return `header ${JSON.stringify(this.header)} of ${whose} cannot be sent: ${headerReasons[this.reason]}`;
  }
}

const headerReasons = {
  name: "its name is not a header name",
  reserved: "the HTTP client itself decides that header",
  empty: "its value is empty",
  surroundingSpace: "its value starts or ends with white space",
  controlByte: "its value holds a line break or another control character",
  notAscii: "its value holds a character outside ASCII",
} as const;

// --- Credentials -----------------------------------------------------------------------------------------------

/** The provider wants the signed-in credential, and nobody is signed in. */
export class SignInRequired extends Data.TaggedError("SignInRequired")<{
  readonly providerId: string;
}> {
  readonly code = "PROVIDER_SIGN_IN_REQUIRED";
  readonly hint = "Sign in.";
  override get message(): string {
    return `model provider ${JSON.stringify(this.providerId)} needs a signed-in account, and there is none`;
  }
}

/** An auth manager that is not one of ours failed in its own way. */
export class CredentialUnavailable extends Data.TaggedError("CredentialUnavailable")<{
  /** The foreign error's class or code; its message is left behind, for it may quote a secret. */
  readonly reason: string;
}> {
  readonly code = "PROVIDER_CREDENTIAL_UNAVAILABLE";
  readonly hint = "Look at what supplies the credential.";
  override get message(): string {
    return `the credential could not be loaded (${this.reason})`;
  }
}

/** An agent's key did not sign. */
export class SigningFailed extends Data.TaggedError("SigningFailed")<{
  readonly reason: string;
}> {
  readonly code = "PROVIDER_SIGNING_FAILED";
  readonly hint = "Sign in again.";
  override get message(): string {
    return `the request could not be signed (${this.reason})`;
  }
}

/** A provider's token command gave no token. Its arguments are left out, for they may hold secrets. */
export class TokenCommandFailed extends Data.TaggedError("TokenCommandFailed")<{
  readonly command: string;
  readonly reason:
    | { readonly _tag: "NotStarted"; readonly errno: string }
    | { readonly _tag: "TimedOut"; readonly afterMs: number }
    | { readonly _tag: "Exited"; readonly exitCode: number; readonly stderr: string }
    | { readonly _tag: "Killed"; readonly signal: string; readonly stderr: string }
    | { readonly _tag: "BadOutput"; readonly what: "empty" | "notUtf8" | "tooLong" };
}> {
  readonly code = "PROVIDER_TOKEN_COMMAND_FAILED";
  readonly hint = "Run the command by hand and look at what it prints.";
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
      return `gave no token within ${reason.afterMs} ms`;
    case "Exited":
      return `failed with exit code ${reason.exitCode}${quoteStderr(reason.stderr)}`;
    case "Killed":
      return `was ended by ${reason.signal}${quoteStderr(reason.stderr)}`;
    default:
      return commandOutputs[reason.what];
  }
};

const commandOutputs = {
  empty: "printed nothing",
  notUtf8: "printed something that is not UTF-8",
  tooLong: "printed more than a token can be",
} as const;

// --- Requests --------------------------------------------------------------------------------------------------

/** The request is for a place where the identity must not go. Nothing was sent. */
export class OutsideProvider extends Data.TaggedError("OutsideProvider")<{
  readonly reason: "notAUrl" | "leavesBasePath" | "otherOrigin" | "holdsCredentials";
  /** Origin of the provider's base URL. */
  readonly expectedOrigin: string;
  /** Origin that was asked for, where the address is a URL. */
  readonly origin?: string;
}> {
  readonly code = "PROVIDER_OUTSIDE_PROVIDER";
  readonly hint = "Give a path below the provider's base URL.";
  override get message(): string {
    const what = this.origin === undefined ? "the request" : `a request to ${this.origin}`;
    return `${what} was not sent: ${outsideReasons[this.reason]} ${this.expectedOrigin}`;
  }
}

const outsideReasons = {
  notAUrl: "it is no URL, and no path below the base URL at",
  leavesBasePath: "its path leaves the base URL at",
  otherOrigin: "identities are for",
  holdsCredentials: "its address holds a user name or password, unlike those at",
} as const;

/** The method is one that no identity may go with. Nothing was sent. */
export class MethodRefused extends Data.TaggedError("MethodRefused")<{
  readonly method: "CONNECT" | "TRACE" | "TRACK";
}> {
  readonly code = "PROVIDER_METHOD_REFUSED";
  readonly hint = "Use another method.";
  override get message(): string {
    return `a ${this.method} request was not sent: ${methodReasons[this.method]}`;
  }
}

const echoes = "its answer repeats the request's headers, the identity among them";
const methodReasons = {
  CONNECT: "it opens a tunnel, which is no place for an identity",
  TRACE: echoes,
  TRACK: echoes,
} as const;

/** Another account signed in between two attempts of a request, which was made for the first. It was not repeated. */
export class AccountChanged extends Data.TaggedError("AccountChanged")<{
  /** HTTP status of the last answer, which is gone; absent where there was none. */
  readonly status?: number;
}> {
  readonly code = "PROVIDER_ACCOUNT_CHANGED";
  readonly hint = "Send the request again if the account that is signed in now may make it.";
  override get message(): string {
    const got = this.status === undefined ? "got no answer" : `failed with status ${this.status}`;
    return `the request ${got} and was not repeated: another account is signed in now`;
  }
}

/** A redirect was not followed. */
export class RedirectRefused extends Data.TaggedError("RedirectRefused")<{
  readonly reason:
    | "tooMany"
    | "notHttp"
    | "holdsCredentials"
    | "bodyCannotBeReplayed"
    | "accountChanged";
  readonly status: number;
}> {
  readonly code = "PROVIDER_REDIRECT_REFUSED";
  get hint(): string {
    return this.reason === "accountChanged"
      ? "Send the request again if the account that is signed in now may make it."
      : "Check the provider's base URL.";
  }
  override get message(): string {
    return `a redirect (status ${this.status}) was not followed: ${redirectReasons[this.reason]}`;
  }
}

const redirectReasons = {
  tooMany: "there were too many",
  notHttp: "it leads to something that is not http(s)",
  holdsCredentials: "its address holds a user name or password",
  bodyCannotBeReplayed: "the request's body is a stream that was already sent",
  accountChanged: "another account is signed in now",
} as const;

/** The server's certificate is signed by an authority that this machine does not know. Nothing was sent. */
export class CertificateUntrusted extends Data.TaggedError("CertificateUntrusted")<{
  readonly origin: string;
  /** OpenSSL's name for what is wrong with the chain. */
  readonly reason: string;
}> {
  readonly code = "PROVIDER_CERTIFICATE_UNTRUSTED";
  readonly hint =
    "Set CODEX_CA_CERTIFICATE to a PEM file with the root certificate of your network.";
  override get message(): string {
    return `the certificate of ${this.origin} is not trusted (${this.reason})`;
  }
}

/** The server, or the network before it, did not open the WebSocket. */
export class WebSocketRefused extends Data.TaggedError("WebSocketRefused")<{
  readonly origin: string;
  /** HTTP status of the refusal; absent where no answer came. */
  readonly status?: number;
}> {
  readonly code = "PROVIDER_WEBSOCKET_REFUSED";
  get hint(): string {
    return this.status === 401 ? "Sign in again." : "Check the provider's base URL.";
  }
  override get message(): string {
    const why = this.status === undefined ? "no answer" : `status ${this.status}`;
    return `WebSocket to ${this.origin} was not opened (${why})`;
  }
}

// --- All of them -----------------------------------------------------------------------------------------------

/** What a provider's configuration can be wrong in. */
export type ProviderConfigError = UnknownProvider | InvalidBaseUrl | EnvKeyMissing | IllegalHeader;

/** Why a request could not be given an identity. Nothing was sent. */
export type SignError =
  | LoginError
  | IllegalHeader
  | SignInRequired
  | CredentialUnavailable
  | SigningFailed
  | TokenCommandFailed;

export type ModelProviderError =
  | SignError
  | ProviderConfigError
  | OutsideProvider
  | MethodRefused
  | AccountChanged
  | RedirectRefused
  | CertificateUntrusted
  | WebSocketRefused;

/** Every `code` that this package can answer with, login's included. */
export type ModelProviderErrorCode = ModelProviderError["code"];

/** Whether something thrown is one of our errors, of this package or a lower one, told by the shape they share. */
export const isModelProviderError = (error: unknown): error is ModelProviderError =>
  error instanceof Error &&
  "_tag" in error &&
  "hint" in error &&
  "code" in error &&
  typeof error.code === "string" &&
  /^(?:AGENT_IDENTITY|LOGIN|PROVIDER)_/.test(error.code);
