import * as Data from "effect/Data";
import type { Remedy } from "./remedy.ts";

/** A configured base is not an absolute http(s) URL, or has user info, a query or a fragment. */
export class BaseUrlInvalid extends Data.TaggedError("BaseUrlInvalid")<{
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_BASE_URL_INVALID";
  readonly hint = "Configure an absolute https URL without user info, query or fragment.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    return `invalid base URL: ${this.problem}`;
  }
}

/** A configured base is plain http on a host that is not a loopback host. */
export class BaseUrlInsecure extends Data.TaggedError("BaseUrlInsecure")<{
  /** Origin of the base. */
  readonly origin: string;
}> {
  readonly code = "AGENT_IDENTITY_BASE_URL_INSECURE";
  readonly hint = "Use https, or a loopback address.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    return `plain http is refused for ${this.origin}`;
  }
}

/** An id cannot be one path segment of a URL: it is empty, `.`, `..`, or not printable ASCII. */
export class PathSegmentInvalid extends Data.TaggedError("PathSegmentInvalid")<{
  readonly segment: string;
}> {
  readonly code = "AGENT_IDENTITY_PATH_SEGMENT_INVALID";
  readonly hint = "Check where the id comes from.";
  readonly remedy: Remedy = "fixInput";
  override get message() {
    return `${this.segment} cannot be used as a URL path segment`;
  }
}

/** Why a configured base cannot be used. */
export type BaseUrlError = BaseUrlInvalid | BaseUrlInsecure;
