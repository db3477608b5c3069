import * as Data from "effect/Data";
import type { Remedy } from "./remedy.ts";

interface RequestFacts {
  readonly method: string;
  /** Origin and path only: user info, query and fragment are left out. */
  readonly url: string;
}

/** The response was not complete within the timeout. Transient. */
export class HttpTimedOut extends Data.TaggedError("HttpTimedOut")<
  RequestFacts & { readonly timeoutMs: number }
> {
  readonly code = "AGENT_IDENTITY_HTTP_TIMED_OUT";
  readonly hint = "Check the network and try again.";
  readonly remedy: Remedy = "retry";
  override get message() {
    return `${this.method} ${this.url} took longer than ${this.timeoutMs} ms`;
  }
}

/** Details that a layer adds to the transport's error if it knows the cause of the failure. */
interface FailureDetails {
  /** The system's or undici's error code, for example `ECONNREFUSED`, or the message of the layer's own error. */
  readonly reason: string;
  readonly hint: string;
  readonly remedy: Remedy;
  /** `code` of the layer's own error, for example a proxy's. */
  readonly causeCode?: string;
}

interface BrokenResponse {
  /** Status of the response whose body broke off; absent if no response had begun. */
  readonly status?: number;
}

/** The connection could not be made, or broke before the response was complete. Transient. */
export class HttpConnectionFailed extends Data.TaggedError("HttpConnectionFailed")<
  RequestFacts & FailureDetails & BrokenResponse
> {
  readonly code = "AGENT_IDENTITY_HTTP_CONNECTION_FAILED";
  /** `hint` and `remedy` default to a check of the network. */
  constructor(
    failure: RequestFacts &
      Pick<FailureDetails, "reason"> &
      Partial<FailureDetails> &
      BrokenResponse,
  ) {
    super({ hint: "Check the network, then try again.", remedy: "fixNetwork", ...failure });
  }
  override get message() {
    return `${this.method} ${this.url} failed: ${this.reason}`;
  }
}

/** The response body is larger than allowed; the part that was read is discarded. */
export class HttpBodyTooLarge extends Data.TaggedError("HttpBodyTooLarge")<
  RequestFacts & { readonly maxBodyBytes: number }
> {
  readonly code = "AGENT_IDENTITY_HTTP_BODY_TOO_LARGE";
  readonly hint = "Check that the URL belongs to the right service.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    return `the response to ${this.method} ${this.url} is larger than ${this.maxBodyBytes} bytes`;
  }
}

/** The response is a redirect that must not be followed. */
export class HttpRedirectNotAllowed extends Data.TaggedError("HttpRedirectNotAllowed")<
  RequestFacts & {
    readonly status: number;
    /** Origin of the target, or null if it is not an http(s) URL. */
    readonly target: string | null;
    readonly why: "another origin" | "too many redirects" | "no usable location" | "not a GET";
  }
> {
  readonly code = "AGENT_IDENTITY_HTTP_REDIRECT_NOT_ALLOWED";
  readonly hint = "Configure the URL that responds without a redirect.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    const target = this.target === null ? "" : ` to ${this.target}`;
    return `${this.method} ${this.url} was redirected${target} (status ${this.status}), which is not followed: ${this.why}`;
  }
}

/** The URL is plain http on a host that is not a loopback host, and insecure http was not allowed. */
export class HttpInsecureUrl extends Data.TaggedError("HttpInsecureUrl")<RequestFacts> {
  readonly code = "AGENT_IDENTITY_HTTP_INSECURE_URL";
  readonly hint = "Use https, or a loopback address.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    return `plain http is refused for ${this.url}`;
  }
}

/** The request's URL or one of its headers is not valid in HTTP. Nothing was sent. */
export class HttpRequestInvalid extends Data.TaggedError("HttpRequestInvalid")<{
  readonly method: string;
  /** `url`, or the name of the header. */
  readonly part: string;
}> {
  readonly code = "AGENT_IDENTITY_HTTP_REQUEST_INVALID";
  readonly hint = "Check the value for line breaks and characters outside of Latin-1.";
  readonly remedy: Remedy = "fixInput";
  override get message() {
    return `the request cannot be sent: its ${this.part} is not valid in HTTP`;
  }
}

/**
 * No request can be sent until a setting is corrected, such as a certificate bundle or a proxy. This package reads no
 * settings. Layers that do create this error; `causeCode` is the `code` of their own error.
 */
export class HttpConfigurationInvalid extends Data.TaggedError(
  "HttpConfigurationInvalid",
)<FailureDetails> {
  readonly code = "AGENT_IDENTITY_HTTP_CONFIGURATION_INVALID";
  override get message() {
    return this.reason;
  }
}

/** A dispatcher, or a fetch that uses one, does not belong to an undici that works with that of these packages. */
export class DispatcherNotSupported extends Data.TaggedError("DispatcherNotSupported")<{
  readonly reason:
    | "notADispatcher"
    /** Its version of undici is 6 or older. */
    | "olderDispatcher"
    /** The fetch, or another function that sends, belongs to undici 6 or older. */
    | "olderFetch";
}> {
  readonly code = "AGENT_IDENTITY_DISPATCHER_NOT_SUPPORTED";
  readonly remedy: Remedy = "fixInput";
  get hint() {
    if (this.reason === "olderFetch") return "Use undici's own fetch, or setGlobalDispatcher.";
    const onBun = 'On Bun, import undici as "undici/index.js", because Bun replaces "undici".';
    return `Create it with undici 7 or later.${this.reason === "notADispatcher" ? ` ${onBun}` : ""}`;
  }
  override get message() {
    return dispatcherMessages[this.reason];
  }
}

const dispatcherMessages = {
  notADispatcher: "the dispatcher cannot send requests: it is not one of undici",
  olderDispatcher: "the dispatcher belongs to another version of undici than these packages",
  olderFetch: "this fetch belongs to another version of undici than the dispatcher",
} as const;

/** Why there is no response. A response of any status is not an error. */
export type HttpTransportError =
  | HttpTimedOut
  | HttpConnectionFailed
  | HttpBodyTooLarge
  | HttpRedirectNotAllowed
  | HttpInsecureUrl
  | HttpRequestInvalid
  | HttpConfigurationInvalid;

/**
 * Returns whether the same request may succeed when it is sent again: a timeout or a failed connection.
 *
 * @example
 * ```ts
 * import { HttpTimedOut, isTransientHttpError } from "@agent-auth/agent-identity/errors";
 *
 * const url = "https://authority.example/jwks";
 * isTransientHttpError(new HttpTimedOut({ method: "GET", url, timeoutMs: 10_000 })); // true
 * ```
 */
export const isTransientHttpError = (error: HttpTransportError): boolean =>
  error._tag === "HttpTimedOut" || error._tag === "HttpConnectionFailed";
