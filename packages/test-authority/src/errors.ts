import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/** An expected request did not arrive. */
export class ExpectedRequestMissing extends Data.TaggedError("ExpectedRequestMissing")<{
  readonly endpoint: string;
  readonly expected: number;
  readonly received: number;
  /** Method, path and status of the last requests to any endpoint. */
  readonly arrived: ReadonlyArray<string>;
}> {
  readonly code = "TEST_AUTHORITY_REQUEST_MISSING";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Look at `requests` for all requests that arrived.";
  override get message() {
    const arrived = this.arrived.length === 0 ? "nothing arrived" : this.arrived.join(", ");
    return `expected ${this.expected} request(s) to ${this.endpoint}, received ${this.received}; ${arrived}`;
  }
}

/** The loopback server could not listen. */
export class ListenFailed extends Data.TaggedError("ListenFailed")<{
  readonly host: string;
  readonly port: number;
  readonly reason: string;
}> {
  readonly code = "TEST_AUTHORITY_LISTEN_FAILED";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Leave the port out (or pass 0) to get a free one.";
  override get message() {
    return `cannot listen on ${this.host}:${this.port}: ${this.reason}`;
  }
}

/** An authorize URL that shows an error page to the user instead of redirecting to the client. */
export class SignInLinkBroken extends Data.TaggedError("SignInLinkBroken")<{
  readonly reason: string;
}> {
  readonly code = "TEST_AUTHORITY_SIGN_IN_LINK_BROKEN";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Pass the whole authorize URL that the program opens.";
  override get message() {
    return `the sign-in link is broken: ${this.reason}`;
  }
}

/** Union of all errors of this package. */
export type TestAuthorityError = ExpectedRequestMissing | ListenFailed | SignInLinkBroken;
/** Their codes. */
export type TestAuthorityErrorCode = TestAuthorityError["code"];
