import * as Data from "effect/Data";

/** An expected request never arrived; what a test should fail with. */
export class ExpectedRequestMissing extends Data.TaggedError("ExpectedRequestMissing")<{
  readonly endpoint: string;
  readonly expected: number;
  readonly received: number;
}> {
  readonly code = "TEST_AUTHORITY_REQUEST_MISSING";
  readonly hint = "Look at `requests` for what did arrive.";
  override get message() {
    return `expected ${this.expected} request(s) to ${this.endpoint}, received ${this.received}`;
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

/** Every error that this package's functions reject with. */
export type TestAuthorityError = ExpectedRequestMissing | ListenFailed;
export type TestAuthorityErrorCode = TestAuthorityError["code"];
