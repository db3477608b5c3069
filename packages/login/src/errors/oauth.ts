import type { HttpConfigurationInvalid } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import type { WorkspaceNotAllowed } from "./restriction.ts";

// What can go wrong while a person signs in. Nothing has been saved when one of these comes back. Texts that an
// authority or a browser sent are cut and freed of control characters before they become a field (`plainText`).

const startAgain = "Start the sign-in again.";

/** The issuer is no URL that a sign-in may be sent to. Nothing was opened or sent. */
export class InvalidIssuer extends Data.TaggedError("InvalidIssuer")<{
  readonly issuer: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_INVALID_ISSUER";
  readonly hint = "Give the issuer as https://host, without query or fragment.";
  override get message(): string {
    return `invalid issuer ${this.issuer}: ${this.reason}`;
  }
}

/** Both callback ports are held by somebody else, who did not let go when asked to. */
export class CallbackPortsTaken extends Data.TaggedError("CallbackPortsTaken")<{
  readonly ports: ReadonlyArray<number>;
}> {
  readonly code = "LOGIN_CALLBACK_PORTS_TAKEN";
  readonly hint = "Stop the program that uses one of them, or sign in with a device code.";
  override get message(): string {
    return `the sign-in needs port ${this.ports.join(" or ")} on 127.0.0.1, and other programs hold them`;
  }
}

/**
 * Until the time limit, only callbacks came whose `state` is not the one of this sign-in (RFC 6749 §10.12). Each was
 * refused when it came, and the sign-in kept waiting for its own.
 */
export class SignInStateMismatch extends Data.TaggedError("SignInStateMismatch")<{
  readonly refusedCallbacks: number;
}> {
  readonly code = "LOGIN_SIGN_IN_STATE_MISMATCH";
  readonly hint = "Start the sign-in again, and use only the page that it opens.";
  override get message(): string {
    return "State mismatch: the browser came back from a different sign-in";
  }
}

/** The authority sent the browser back without a code and without an error. */
export class AuthorizationCodeMissing extends Data.TaggedError("AuthorizationCodeMissing")<{}> {
  readonly code = "LOGIN_AUTHORIZATION_CODE_MISSING";
  readonly hint = startAgain;
  override get message(): string {
    return "the authority sent the browser back without an authorization code";
  }
}

/** The person said no. */
export class AuthorizationDenied extends Data.TaggedError("AuthorizationDenied")<{
  readonly description?: string;
}> {
  readonly code = "LOGIN_AUTHORIZATION_DENIED";
  readonly hint = "Start the sign-in again to allow access.";
  override get message(): string {
    return "the sign-in was denied";
  }
}

/** The account, or its workspace, may not use Codex. */
export class CodexEntitlementMissing extends Data.TaggedError("CodexEntitlementMissing")<{}> {
  readonly code = "LOGIN_CODEX_ENTITLEMENT_MISSING";
  readonly hint = "Ask the administrator of your workspace for access to Codex.";
  override get message(): string {
    return "Codex is not enabled for this workspace";
  }
}

/** The authority ended the sign-in with an error of its own (RFC 6749 §4.1.2.1), or with an answer that is none. */
export class AuthorizationFailed extends Data.TaggedError("AuthorizationFailed")<{
  readonly error: string;
  readonly description?: string;
}> {
  readonly code = "LOGIN_AUTHORIZATION_FAILED";
  readonly hint = startAgain;
  override get message(): string {
    return `the authority ended the sign-in: ${this.description ?? this.error}`;
  }
}

/** The token endpoint refused the code. */
export class TokenExchangeRejected extends Data.TaggedError("TokenExchangeRejected")<{
  readonly status: number;
  /** The server's own error code, in whichever of its three places it stood. */
  readonly error?: string;
  readonly description?: string;
}> {
  readonly code = "LOGIN_TOKEN_EXCHANGE_REJECTED";
  get hint(): string {
    return this.status >= 500 || this.status === 429
      ? "Wait a moment, then start the sign-in again."
      : startAgain;
  }
  override get message(): string {
    return `token exchange failed with status ${this.status}${because(this)}`;
  }
}

/** An endpoint of the authority answered with success, and with a body that cannot be used. */
export class AuthorityAnswerUnreadable extends Data.TaggedError("AuthorityAnswerUnreadable")<{
  readonly endpoint: string;
  /** What is wrong with the answer; never a value of it. */
  readonly reason: string;
}> {
  readonly code = "LOGIN_AUTHORITY_ANSWER_UNREADABLE";
  readonly hint = "Check the issuer, then start the sign-in again.";
  override get message(): string {
    return `unusable answer of ${this.endpoint}: ${this.reason}`;
  }
}

/** No answer came from the authority. */
export class AuthorityUnreachable extends Data.TaggedError("AuthorityUnreachable")<{
  readonly origin: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_AUTHORITY_UNREACHABLE";
  readonly hint = "Check the network and the proxy settings, then start the sign-in again.";
  override get message(): string {
    return `cannot reach ${this.origin}: ${this.reason}`;
  }
}

/** This authority offers no device codes. */
export class DeviceCodeNotEnabled extends Data.TaggedError("DeviceCodeNotEnabled")<{
  readonly issuer: string;
}> {
  readonly code = "LOGIN_DEVICE_CODE_NOT_ENABLED";
  readonly hint = "Sign in with the browser instead, or allow device codes for the account.";
  override get message(): string {
    return `device code login is not enabled at ${this.issuer}`;
  }
}

/** Nobody entered the code in time. */
export class DeviceCodeExpired extends Data.TaggedError("DeviceCodeExpired")<{
  readonly limitMs: number;
}> {
  readonly code = "LOGIN_DEVICE_CODE_EXPIRED";
  readonly hint = "Start the sign-in again for a new code.";
  override get message(): string {
    return `the device code expired: nobody entered it within ${minutes(this.limitMs)}`;
  }
}

/** A device code endpoint refused. */
export class DeviceCodeRejected extends Data.TaggedError("DeviceCodeRejected")<{
  readonly status: number;
  readonly error?: string;
  readonly description?: string;
}> {
  readonly code = "LOGIN_DEVICE_CODE_REJECTED";
  readonly hint = startAgain;
  override get message(): string {
    return `device code login failed with status ${this.status}${because(this)}`;
  }
}

/** Somebody asked the callback server to give up: another sign-in on this machine, usually. */
export class SignInCancelled extends Data.TaggedError("SignInCancelled")<{}> {
  readonly code = "LOGIN_SIGN_IN_CANCELLED";
  readonly hint = startAgain;
  override get message(): string {
    return "the sign-in was cancelled";
  }
}

/** The browser never came back. */
export class SignInTimedOut extends Data.TaggedError("SignInTimedOut")<{
  readonly limitMs: number;
}> {
  readonly code = "LOGIN_SIGN_IN_TIMED_OUT";
  readonly hint = "Start the sign-in again; on a machine without a browser, use a device code.";
  override get message(): string {
    return `nobody finished the sign-in within ${minutes(this.limitMs)}`;
  }
}

export type SignInError =
  | AuthorityAnswerUnreadable
  | AuthorityUnreachable
  | AuthorizationCodeMissing
  | AuthorizationDenied
  | AuthorizationFailed
  | CallbackPortsTaken
  | CodexEntitlementMissing
  | DeviceCodeExpired
  | DeviceCodeNotEnabled
  | DeviceCodeRejected
  | HttpConfigurationInvalid
  | InvalidIssuer
  | SignInCancelled
  | SignInStateMismatch
  | SignInTimedOut
  | TokenExchangeRejected
  | WorkspaceNotAllowed;

const because = (told: { readonly error?: string; readonly description?: string }): string => {
  const parts = [told.error, told.description].filter((part) => part !== undefined);
  return parts.length === 0 ? "" : `: ${parts.join(": ")}`;
};

const minutes = (ms: number): string => {
  if (ms < 120_000) return `${Math.round(ms / 1000)} seconds`;
  return `${Math.round(ms / 60_000)} minutes`;
};
