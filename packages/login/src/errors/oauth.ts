import type { HttpConfigurationInvalid, Remedy } from "@agent-auth/agent-identity/errors";
import { isTransientStatus } from "@agent-auth/agent-identity/http";
import * as Data from "effect/Data";
import type { WorkspaceNotAllowed } from "./restriction.ts";

// What can go wrong while a person signs in. A sign-in that fails with one of these has saved nothing. Texts from an
// authority or a browser are shortened and stripped of control characters (`sanitizeText`) before they become a field.

const startAgain = "Start the sign-in again.";

/** The issuer is not a URL that a sign-in may be sent to. Nothing was opened or sent. */
export class IssuerInvalid extends Data.TaggedError("IssuerInvalid")<{
  readonly issuer: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_ISSUER_INVALID";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Give the issuer as https://host, without query or fragment.";
  override get message(): string {
    return `invalid issuer ${this.issuer}: ${this.reason}`;
  }
}

/** Other programs listen on all callback ports, and did not release them when asked. */
export class CallbackPortsTaken extends Data.TaggedError("CallbackPortsTaken")<{
  readonly ports: ReadonlyArray<number>;
}> {
  readonly code = "LOGIN_CALLBACK_PORTS_TAKEN";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Sign in with a device code, which needs no port.";
  override get message(): string {
    return `the sign-in needs port ${this.ports.join(" or ")} on 127.0.0.1, and other programs use them`;
  }
}

/**
 * Until the timeout, all callbacks had a `state` other than the one of this sign-in (RFC 6749 §10.12). Each was rejected
 * when it came, and the sign-in kept waiting.
 */
export class SignInStateMismatch extends Data.TaggedError("SignInStateMismatch")<{
  readonly rejectedCallbacks: number;
}> {
  readonly code = "LOGIN_SIGN_IN_STATE_MISMATCH";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Start the sign-in again, and use only the page that it opens.";
  override get message(): string {
    return "State mismatch: the browser came back from a different sign-in";
  }
}

/**
 * The link that was passed to the browser was opened twice, on a system that does not report which user opened it.
 * Another user of this machine may have read it.
 */
export class SignInLinkReused extends Data.TaggedError("SignInLinkReused")<{}> {
  readonly code = "LOGIN_SIGN_IN_LINK_REUSED";
  readonly remedy: Remedy = "signIn";
  readonly hint = startAgain;
  override get message(): string {
    return "the sign-in link was opened twice, possibly by another user of this machine";
  }
}

/** The callback had neither a code nor an error. */
export class AuthorizationCodeMissing extends Data.TaggedError("AuthorizationCodeMissing")<{}> {
  readonly code = "LOGIN_AUTHORIZATION_CODE_MISSING";
  readonly remedy: Remedy = "signIn";
  readonly hint = startAgain;
  override get message(): string {
    return "the authority sent the browser back without an authorization code";
  }
}

/** The person denied access. */
export class AuthorizationDenied extends Data.TaggedError("AuthorizationDenied")<{
  readonly description?: string;
}> {
  readonly code = "LOGIN_AUTHORIZATION_DENIED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Start the sign-in again to allow access.";
  override get message(): string {
    return "the sign-in was denied";
  }
}

/** The account, or its workspace, has no access to Codex. */
export class CodexEntitlementMissing extends Data.TaggedError("CodexEntitlementMissing")<{}> {
  readonly code = "LOGIN_CODEX_ENTITLEMENT_MISSING";
  readonly remedy: Remedy = "contactAdmin";
  readonly hint = "Ask the administrator of your workspace for access to Codex.";
  override get message(): string {
    return "Codex is not enabled for this workspace";
  }
}

/** The authority ended the sign-in with an error (RFC 6749 §4.1.2.1), or with an invalid authorization response. */
export class AuthorizationFailed extends Data.TaggedError("AuthorizationFailed")<{
  readonly error: string;
  readonly description?: string;
}> {
  readonly code = "LOGIN_AUTHORIZATION_FAILED";
  readonly remedy: Remedy = "signIn";
  readonly hint = startAgain;
  override get message(): string {
    return `the authority ended the sign-in: ${this.description ?? this.error}`;
  }
}

interface Rejection {
  readonly status: number;
  /** The authority's own error code. */
  readonly error?: string;
  readonly description?: string;
}

/** The token endpoint rejected the authorization code. */
export class CodeExchangeRejected extends Data.TaggedError("CodeExchangeRejected")<Rejection> {
  readonly code = "LOGIN_CODE_EXCHANGE_REJECTED";
  get remedy(): Remedy {
    return remedyFor(this);
  }
  get hint(): string {
    return hintFor(this);
  }
  override get message(): string {
    return `code exchange failed with status ${this.status}${because(this)}`;
  }
}

/** An endpoint of the authority reported success, but its response cannot be used. */
export class AuthorityResponseInvalid extends Data.TaggedError("AuthorityResponseInvalid")<{
  readonly endpoint: string;
  /** What is wrong with the response, without its values. */
  readonly reason: string;
}> {
  readonly code = "LOGIN_AUTHORITY_RESPONSE_INVALID";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Check that the issuer is the URL of a Codex authority.";
  override get message(): string {
    return `unusable response of ${this.endpoint}: ${this.reason}`;
  }
}

/** No response came from the authority. */
export class AuthorityUnreachable extends Data.TaggedError("AuthorityUnreachable")<{
  readonly origin: string;
  readonly reason: string;
  readonly hint: string;
  readonly remedy: Remedy;
}> {
  readonly code = "LOGIN_AUTHORITY_UNREACHABLE";
  /** `hint` and `remedy` default to a check of the network. */
  constructor(failure: {
    readonly origin: string;
    readonly reason: string;
    readonly hint?: string;
    readonly remedy?: Remedy;
  }) {
    super({
      hint: "Check the network, then start the sign-in again.",
      remedy: "fixNetwork",
      ...failure,
    });
  }
  override get message(): string {
    return `cannot reach ${this.origin}: ${this.reason}`;
  }
}

/** The authority does not allow device codes. */
export class DeviceCodeNotEnabled extends Data.TaggedError("DeviceCodeNotEnabled")<{
  readonly issuer: string;
}> {
  readonly code = "LOGIN_DEVICE_CODE_NOT_ENABLED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Sign in with the browser instead.";
  override get message(): string {
    return `device code login is not enabled at ${this.issuer}`;
  }
}

/** The code was not entered in time. */
export class DeviceCodeExpired extends Data.TaggedError("DeviceCodeExpired")<{
  readonly limitMs: number;
}> {
  readonly code = "LOGIN_DEVICE_CODE_EXPIRED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Start the sign-in again for a new code.";
  override get message(): string {
    return `the device code expired: it was not entered within ${minutes(this.limitMs)}`;
  }
}

/** A device code endpoint responded with an error. */
export class DeviceCodeRejected extends Data.TaggedError("DeviceCodeRejected")<Rejection> {
  readonly code = "LOGIN_DEVICE_CODE_REJECTED";
  get remedy(): Remedy {
    return remedyFor(this);
  }
  get hint(): string {
    return hintFor(this);
  }
  override get message(): string {
    return `device code login failed with status ${this.status}${because(this)}`;
  }
}

/** `/cancel` of the callback server was requested, usually by another sign-in on this machine. */
export class SignInCancelled extends Data.TaggedError("SignInCancelled")<{}> {
  readonly code = "LOGIN_SIGN_IN_CANCELLED";
  readonly remedy: Remedy = "signIn";
  readonly hint = startAgain;
  override get message(): string {
    return "the sign-in was cancelled";
  }
}

/** The browser did not request the callback in time. */
export class SignInTimedOut extends Data.TaggedError("SignInTimedOut")<{
  readonly limitMs: number;
}> {
  readonly code = "LOGIN_SIGN_IN_TIMED_OUT";
  readonly remedy: Remedy = "signIn";
  readonly hint = startAgain;
  override get message(): string {
    return `the sign-in was not completed within ${minutes(this.limitMs)}`;
  }
}

export type SignInError =
  | AuthorityResponseInvalid
  | AuthorityUnreachable
  | AuthorizationCodeMissing
  | AuthorizationDenied
  | AuthorizationFailed
  | CallbackPortsTaken
  | CodeExchangeRejected
  | CodexEntitlementMissing
  | DeviceCodeExpired
  | DeviceCodeNotEnabled
  | DeviceCodeRejected
  | HttpConfigurationInvalid
  | IssuerInvalid
  | SignInCancelled
  | SignInLinkReused
  | SignInStateMismatch
  | SignInTimedOut
  | WorkspaceNotAllowed;

const remedyFor = (rejection: Rejection): Remedy =>
  isTransientStatus(rejection.status) ? "retry" : "signIn";

const hintFor = (rejection: Rejection): string =>
  isTransientStatus(rejection.status) ? "Wait a minute, then start the sign-in again." : startAgain;

const because = ({ error, description }: Rejection): string => {
  const parts = [error, description].filter((part) => part !== undefined);
  return parts.length === 0 ? "" : `: ${parts.join(": ")}`;
};

const minutes = (ms: number): string =>
  ms < 120_000 ? `${Math.round(ms / 1000)} seconds` : `${Math.round(ms / 60_000)} minutes`;
