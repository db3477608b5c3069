import * as Data from "effect/Data";

const signInAgain = "Sign in again.";

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
  readonly hint = "Try again in a moment.";
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
