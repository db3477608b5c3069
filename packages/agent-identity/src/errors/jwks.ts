import * as Data from "effect/Data";
import { isTransientStatus } from "../http/status.ts";
import type { HttpTransportError } from "./http.ts";
import type { Remedy } from "./remedy.ts";

/** The JWKS endpoint did not respond, and there is no cached JWKS that may still be used. */
export class JwksRequestFailed extends Data.TaggedError("JwksRequestFailed")<{
  /** Origin and path only; empty if the configured text is not a URL. */
  readonly url: string;
  readonly failure: HttpTransportError;
}> {
  readonly code = "AGENT_IDENTITY_JWKS_REQUEST_FAILED";
  get hint() {
    return this.failure.hint;
  }
  get remedy(): Remedy {
    return this.failure.remedy;
  }
  override get message() {
    return `failed to request agent identity JWKS: ${this.failure.message}`;
  }
}

/** The JWKS endpoint responded with a status other than 200. */
export class JwksEndpointError extends Data.TaggedError("JwksEndpointError")<{
  /** Origin and path only. */
  readonly url: string;
  readonly status: number;
}> {
  readonly code = "AGENT_IDENTITY_JWKS_ENDPOINT_ERROR";
  get hint() {
    return isTransientStatus(this.status) ? "Try again later." : "Check the configured base URL.";
  }
  get remedy(): Remedy {
    return isTransientStatus(this.status) ? "retry" : "fixConfig";
  }
  override get message() {
    return `agent identity JWKS endpoint returned an error: ${this.url} responded with status ${this.status}`;
  }
}

/** A response or value is not a JWKS (RFC 7517 §5), or exceeds its limits. */
export class JwksMalformed extends Data.TaggedError("JwksMalformed")<{
  /** Origin and path only; null for a set that was passed in, not fetched. */
  readonly url: string | null;
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_JWKS_MALFORMED";
  readonly hint =
    "Check that the configured base URL belongs to the authority that issued the token.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    const from = this.url === null ? "" : ` from ${this.url}`;
    return `failed to decode agent identity JWKS${from}: ${this.problem}`;
  }
}

/** Why no JWKS is available. */
export type JwksError = JwksRequestFailed | JwksEndpointError | JwksMalformed;
