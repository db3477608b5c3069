import { toSingleLine } from "@agent-auth/agent-identity/encoding";
import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/**
 * An app server answered a request with an error.
 *
 * @example
 * ```ts
 * import { AppServerRequestFailed } from "@agent-auth/app-server/errors";
 *
 * const error = new AppServerRequestFailed({ method: "account/logout", rpcCode: -32603, text: "logout failed" });
 * console.log(error.message); // account/logout failed: logout failed (-32603)
 * ```
 */
export class AppServerRequestFailed extends Data.TaggedError("AppServerRequestFailed")<{
  readonly method: string;
  readonly rpcCode: number;
  /** The server's message. */
  readonly text: string;
  /** `data` of the error, if the server sent it. Servers of this package send `code`, `hint` and `remedy`. */
  readonly data?: unknown;
}> {
  readonly code = "APP_SERVER_REQUEST_FAILED";
  get remedy(): Remedy {
    return this.rpcCode === -32600 ? "fixInput" : "retry";
  }
  readonly hint = "Read the server's message and correct the request.";
  override get message(): string {
    return `${this.method} failed: ${toSingleLine(this.text, 1_000)} (${this.rpcCode})`;
  }
}

/**
 * The connection to an app server closed before it answered.
 *
 * @example
 * ```ts
 * import { AppServerClosed } from "@agent-auth/app-server/errors";
 *
 * const error = new AppServerClosed({ method: "account/read" });
 * console.log(error.message); // the app server closed the connection before it answered account/read
 * ```
 */
export class AppServerClosed extends Data.TaggedError("AppServerClosed")<{
  readonly method: string;
}> {
  readonly code = "APP_SERVER_CLOSED";
  readonly remedy: Remedy = "retry";
  readonly hint = "Connect again.";
  override get message(): string {
    return `the app server closed the connection before it answered ${this.method}`;
  }
}

/**
 * An app server's answer does not match the protocol.
 *
 * @example
 * ```ts
 * import { AppServerAnswerInvalid } from "@agent-auth/app-server/errors";
 *
 * const error = new AppServerAnswerInvalid({ method: "account/read", reason: "account.type does not match the schema" });
 * console.log(error.message);
 * // the app server's answer to account/read is invalid: account.type does not match the schema
 * ```
 */
export class AppServerAnswerInvalid extends Data.TaggedError("AppServerAnswerInvalid")<{
  readonly method: string;
  /** Which member is wrong, without its value. */
  readonly reason: string;
}> {
  readonly code = "APP_SERVER_ANSWER_INVALID";
  readonly remedy: Remedy = "fixConfig";
  readonly hint = "Check that the server is a Codex app server of a supported version.";
  override get message(): string {
    return `the app server's answer to ${this.method} is invalid: ${this.reason}`;
  }
}

/**
 * There is no ChatGPT sign-in to lend.
 *
 * @example
 * ```ts
 * import { HostNotSignedIn } from "@agent-auth/app-server/errors";
 *
 * const error = new HostNotSignedIn({ kind: null });
 * console.log(error.message); // there is no sign-in to lend
 * ```
 */
export class HostNotSignedIn extends Data.TaggedError("HostNotSignedIn")<{
  /** The kind of the current credential; null if there is none. */
  readonly kind: string | null;
}> {
  readonly code = "APP_SERVER_HOST_NOT_SIGNED_IN";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Sign in with ChatGPT.";
  override get message(): string {
    return this.kind === null
      ? "there is no sign-in to lend"
      : `a credential of kind ${this.kind} cannot be lent: only a ChatGPT sign-in can`;
  }
}

/** Errors of `createAppServerClient` and `lendSignIn`. */
export type ClientError =
  | HostNotSignedIn
  | AppServerAnswerInvalid
  | AppServerClosed
  | AppServerRequestFailed;
