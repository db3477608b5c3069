import * as Data from "effect/Data";

/** A configured base is no absolute http(s) URL, or carries what a base must not. */
export class BaseUrlInvalid extends Data.TaggedError("BaseUrlInvalid")<{
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_BASE_URL_INVALID";
  readonly hint = "Configure an absolute https URL without user info, query or fragment.";
  override get message() {
    return `base URL is not usable: ${this.problem}`;
  }
}

/** A configured base is plain http and not on this machine. */
export class BaseUrlInsecure extends Data.TaggedError("BaseUrlInsecure")<{
  /** Origin of the refused base. */
  readonly origin: string;
}> {
  readonly code = "AGENT_IDENTITY_BASE_URL_INSECURE";
  readonly hint = "Use https, or a loopback address.";
  override get message() {
    return `plain http is refused for ${this.origin}`;
  }
}

/** An id that cannot be one segment of a path: empty, `.`, `..`, or not printable ASCII. */
export class PathSegmentInvalid extends Data.TaggedError("PathSegmentInvalid")<{
  readonly segment: string;
}> {
  readonly code = "AGENT_IDENTITY_PATH_SEGMENT_INVALID";
  readonly hint = "Check where the id comes from.";
  override get message() {
    return `${this.segment} cannot be a part of a URL`;
  }
}

/** Why a configured base cannot be used. */
export type BaseUrlError = BaseUrlInvalid | BaseUrlInsecure;
