import * as Data from "effect/Data";

/** An expected request never arrived; what a test should fail with. */
export class ExpectedRequestMissing extends Data.TaggedError("ExpectedRequestMissing")<{
  readonly endpoint: string;
  readonly expected: number;
  readonly received: number;
  /** The last requests that did arrive, wherever to: method, path and status of each. */
  readonly arrived: ReadonlyArray<string>;
}> {
  readonly code = "TEST_AUTHORITY_REQUEST_MISSING";
  readonly hint = "Look at `requests` for everything that arrived.";
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
  readonly hint = "Leave the port out (or pass 0) to get a free one.";
  override get message() {
    return `cannot listen on ${this.host}:${this.port}: ${this.reason}`;
  }
}

/** An authorize URL that a person would be shown a page for, instead of being sent back to the program. */
export class SignInLinkBroken extends Data.TaggedError("SignInLinkBroken")<{
  readonly reason: string;
}> {
  readonly code = "TEST_AUTHORITY_SIGN_IN_LINK_BROKEN";
  readonly hint = "Give it the whole authorize URL that the program opens.";
  override get message() {
    return `the sign-in link is broken: ${this.reason}`;
  }
}

/** Every error that this package's functions throw or reject with. */
export type TestAuthorityError = ExpectedRequestMissing | ListenFailed | SignInLinkBroken;
/** Their stable codes. */
export type TestAuthorityErrorCode = TestAuthorityError["code"];
