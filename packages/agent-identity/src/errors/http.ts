import * as Data from "effect/Data";
import type { Remedy } from "./remedy.ts";

interface Exchange {
  readonly method: string;
  /** Origin and path only: user info, query and fragment are left out. */
  readonly url: string;
}

/** The whole exchange did not fit into its time. May pass. */
export class HttpTimedOut extends Data.TaggedError("HttpTimedOut")<
  Exchange & { readonly timeoutMs: number }
> {
  readonly code = "AGENT_IDENTITY_HTTP_TIMED_OUT";
  readonly hint = "Check the network and try again.";
  override get message() {
    return `${this.method} ${this.url} took longer than ${this.timeoutMs} ms`;
  }
}

/** What a layer that knows the cause of a failure adds to the transport's error. */
interface FailureDetails {
  readonly reason: string;
  readonly hint: string;
  readonly remedy: Remedy;
  /** `code` of the layer's own error, for example a proxy's. */
  readonly causeCode?: string;
}

/** The connection could not be made, or broke before the response was complete. A retry may succeed. */
export class HttpConnectionFailed extends Data.TaggedError("HttpConnectionFailed")<
  Exchange &
    FailureDetails & {
      /** Status of the response whose body broke off; absent if no response had begun. */
      readonly status?: number;
    }
> {
  readonly code = "AGENT_IDENTITY_HTTP_CONNECTION_FAILED";
  /** `hint` and `remedy` default to a check of the network. */
  constructor(
    failure: Exchange &
      Pick<FailureDetails, "reason"> &
      Partial<FailureDetails> & { readonly status?: number },
  ) {
    super({ hint: "Check the network, then try again.", remedy: "fixNetwork", ...failure });
  }
  override get message() {
    return `${this.method} ${this.url} failed: ${this.reason}`;
  }
}

/** The answer is larger than the caller allows; what was read of it is thrown away. */
export class HttpBodyTooLarge extends Data.TaggedError("HttpBodyTooLarge")<
  Exchange & { readonly maxBodyBytes: number }
> {
  readonly code = "AGENT_IDENTITY_HTTP_BODY_TOO_LARGE";
  readonly hint = "Check that the URL points at the right service.";
  override get message() {
    return `the answer to ${this.method} ${this.url} is larger than ${this.maxBodyBytes} bytes`;
  }
}

/** The answer sends us somewhere we will not go with this request. */
export class HttpRedirectRefused extends Data.TaggedError("HttpRedirectRefused")<
  Exchange & {
    readonly status: number;
    /** Origin of the target, or null where it is no http(s) URL. */
    readonly target: string | null;
    readonly why: "another origin" | "too many redirects" | "no usable location" | "not a GET";
  }
> {
  readonly code = "AGENT_IDENTITY_HTTP_REDIRECT_REFUSED";
  readonly hint = "Configure the URL that answers without a redirect.";
  override get message() {
    const target = this.target === null ? "" : ` to ${this.target}`;
    return `${this.method} ${this.url} answered ${this.status} and was redirected${target}, which is not followed: ${this.why}`;
  }
}

/** Plain http, off this machine, and nobody said that this is wanted. */
export class HttpInsecureUrl extends Data.TaggedError("HttpInsecureUrl")<Exchange> {
  readonly code = "AGENT_IDENTITY_HTTP_INSECURE_URL";
  readonly hint = "Use https, or a loopback address.";
  override get message() {
    return `plain http is refused for ${this.url}`;
  }
}

/** The request cannot be written: its URL, or a header, holds something illegal. Nothing was sent. */
export class HttpRequestInvalid extends Data.TaggedError("HttpRequestInvalid")<{
  readonly method: string;
  /** `url`, or the name of the header. */
  readonly part: string;
}> {
  readonly code = "AGENT_IDENTITY_HTTP_REQUEST_INVALID";
  readonly hint = "Check the value for line breaks and characters outside of Latin-1.";
  override get message() {
    return `the request cannot be sent: its ${this.part} is not legal in HTTP`;
  }
}

/**
 * Nothing can be sent until a setting is mended: a certificate bundle, a proxy. Made by layers that read settings, which
 * this package does not; `causeCode` is the `code` of their own error.
 */
export class HttpSettingUnusable extends Data.TaggedError("HttpSettingUnusable")<FailureDetails> {
  readonly code = "AGENT_IDENTITY_HTTP_SETTING_UNUSABLE";
  override get message() {
    return this.reason;
  }
}

/** Every way of not getting an answer. A status, whatever it is, is an answer. */
export type HttpTransportError =
  | HttpTimedOut
  | HttpConnectionFailed
  | HttpBodyTooLarge
  | HttpRedirectRefused
  | HttpInsecureUrl
  | HttpRequestInvalid
  | HttpSettingUnusable;

/** Whether the same request may succeed when sent again. */
export const isTransientHttpError = (error: HttpTransportError): boolean =>
  error._tag === "HttpTimedOut" || error._tag === "HttpConnectionFailed";
