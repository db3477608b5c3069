import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import type { Credential } from "../credential/index.ts";

const couldNot = "Your access token could not be refreshed";
const rejections = {
  expired: `${couldNot} because your refresh token has expired. Please log out and sign in again.`,
  reused: `${couldNot} because your refresh token was already used. Please log out and sign in again.`,
  revoked: `${couldNot} because your refresh token was revoked. Please log out and sign in again.`,
  other: `${couldNot}. Please log out and sign in again.`,
} as const;

/** The authority will not accept this refresh token again. Only a new sign-in helps. */
export class RefreshRejected extends Data.TaggedError("RefreshRejected")<{
  readonly reason: keyof typeof rejections;
  readonly accountId?: string;
}> {
  readonly code = "LOGIN_REFRESH_REJECTED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Sign in again.";
  override get message(): string {
    return rejections[this.reason];
  }
}

/** The stored sign-in was removed, or now belongs to another account. No refresh token was spent. */
export class RefreshAccountChanged extends Data.TaggedError("RefreshAccountChanged")<{
  readonly expectedAccountId?: string;
  readonly foundAccountId?: string;
}> {
  readonly code = "LOGIN_REFRESH_ACCOUNT_CHANGED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Sign in again.";
  override get message(): string {
    return `${couldNot} because you have since logged out or signed in to another account. Please sign in again.`;
  }
}

interface FailedRefresh {
  /** Status of the last response; absent if there was none. */
  readonly status?: number;
  readonly attempts: number;
  readonly reason: string;
  /** What `Retry-After` of the last response asked for, in milliseconds. */
  readonly retryAfterMs?: number;
  /** The authority responded with success but without a new refresh token. It has most likely spent the old one. */
  readonly isSpent?: true;
  /**
   * Milliseconds since the epoch before which no program that shares the sign-in sends the refresh token again, unless a
   * caller demands it.
   */
  readonly retryAtMs?: number;
  /** What the failed request's own error advises, such as for a proxy or a certificate. */
  readonly advice?: { readonly hint: string; readonly remedy: Remedy };
  /** Milliseconds since the attempts ended, if an earlier operation or another program made them. Nothing was sent. */
  readonly ageMs?: number;
}

/**
 * A refresh failed, and a later one may succeed. The stored tokens are unchanged, unless the response held other tokens
 * but no access token: those are stored.
 */
export class RefreshFailed extends Data.TaggedError("RefreshFailed")<FailedRefresh> {
  readonly code = "LOGIN_REFRESH_FAILED";
  get remedy(): Remedy {
    return this.advice?.remedy ?? "retry";
  }
  get hint(): string {
    return this.advice?.hint ?? tryAgain(this);
  }
  override get message(): string {
    const times = this.attempts === 1 ? "" : ` after ${this.attempts} attempts`;
    const failed = `access token could not be refreshed${times}: ${this.reason}`;
    if (this.ageMs === undefined || this.retryAtMs === undefined) return failed;
    const seconds = Math.round(this.ageMs / 1000);
    return `${failed} (${seconds} s ago; the next attempt is not made before ${timeText(this.retryAtMs)})`;
  }
}

const tryAgain = ({ isSpent, retryAtMs }: FailedRefresh): string => {
  const when = retryAtMs === undefined ? "in a moment" : `after ${timeText(retryAtMs)}`;
  return isSpent === true
    ? `Try again ${when}; if that fails, sign in again.`
    : `Try again ${when}.`;
};

const timeText = (ms: number): string => new Date(ms).toISOString();

/**
 * A server rejected a credential that was obtained moments ago, so replacing it again would not help. It is not
 * replaced again before `retryAtMs`.
 */
export class NewCredentialRejected extends Data.TaggedError("NewCredentialRejected")<{
  readonly kind: Credential["_tag"];
  readonly accountId?: string;
  /** Milliseconds since the credential was obtained. */
  readonly ageMs: number;
  /** Milliseconds since the epoch. */
  readonly retryAtMs: number;
}> {
  readonly code = "LOGIN_NEW_CREDENTIAL_REJECTED";
  readonly remedy: Remedy = "contactAdmin";
  readonly hint =
    "Check that this account has access to the server, and that the base URL is correct.";
  override get message(): string {
    const what =
      this.kind === "AgentIdentity" ? "a new agent task" : "a newly obtained access token";
    const seconds = Math.round(this.ageMs / 1000);
    const until = timeText(this.retryAtMs);
    return `the server rejected ${what} (${seconds} s old); it is not replaced again before ${until}`;
  }
}

/** A credential of this kind cannot be refreshed. */
export class RefreshUnsupported extends Data.TaggedError("RefreshUnsupported")<{
  readonly kind: string;
}> {
  readonly code = "LOGIN_REFRESH_UNSUPPORTED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Replace the credential where the program gets it from, or sign in with ChatGPT.";
  override get message(): string {
    return `a credential of kind ${this.kind} cannot be refreshed`;
  }
}

export type RefreshError =
  | RefreshRejected
  | RefreshAccountChanged
  | RefreshFailed
  | NewCredentialRejected
  | RefreshUnsupported;
