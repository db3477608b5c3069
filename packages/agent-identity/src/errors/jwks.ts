import * as Data from "effect/Data";
import type { HttpTransportError } from "./http.ts";

/** No answer from the JWKS endpoint, and no set that may still serve. */
export class JwksRequestFailed extends Data.TaggedError("JwksRequestFailed")<{
  /** Origin and path only; empty where the configured text is no URL. */
  readonly url: string;
  readonly failure: HttpTransportError;
}> {
  readonly code = "AGENT_IDENTITY_JWKS_REQUEST_FAILED";
  get hint() {
    return this.failure.hint;
  }
  override get message() {
    return `failed to request agent identity JWKS: ${this.failure.message}`;
  }
}

/** The JWKS endpoint answered with another status than 200. */
export class JwksEndpointError extends Data.TaggedError("JwksEndpointError")<{
  /** Origin and path only. */
  readonly url: string;
  readonly status: number;
}> {
  readonly code = "AGENT_IDENTITY_JWKS_ENDPOINT_ERROR";
  readonly hint = "Check the configured base URL, or try again later.";
  override get message() {
    return `agent identity JWKS endpoint returned an error: ${this.url} answered ${this.status}`;
  }
}

/** What should be a JWKS (RFC 7517 §5) is none. */
export class JwksMalformed extends Data.TaggedError("JwksMalformed")<{
  /** Origin and path only; null for a set that was handed over, not fetched. */
  readonly url: string | null;
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_JWKS_MALFORMED";
  readonly hint = "Check that the configured base URL points at the service that issued the token.";
  override get message() {
    const from = this.url === null ? "" : ` from ${this.url}`;
    return `failed to decode agent identity JWKS${from}: ${this.problem}`;
  }
}

/** Why there is no set of keys to ask. */
export type JwksError = JwksRequestFailed | JwksEndpointError | JwksMalformed;
