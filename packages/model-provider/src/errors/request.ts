import type { DispatcherNotSupported, Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/** The request's address is not one that the credential may be sent to. Nothing was sent. */
export class RequestOriginNotAllowed extends Data.TaggedError("RequestOriginNotAllowed")<{
  readonly reason: "notAUrl" | "leavesBasePath" | "otherOrigin" | "holdsCredentials";
  /** Origin of the provider's base URL. */
  readonly expectedOrigin: string;
  /** The requested origin, if the address is a URL. */
  readonly origin?: string;
}> {
  readonly code = "PROVIDER_REQUEST_ORIGIN_NOT_ALLOWED";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Use a path below the provider's base URL.";
  override get message(): string {
    const what = this.origin === undefined ? "the request" : `a request to ${this.origin}`;
    return `${what} was not sent: ${originReasons[this.reason]} ${this.expectedOrigin}`;
  }
}

const originReasons = {
  notAUrl: "its address is neither a URL nor a path below the base URL at",
  leavesBasePath: "its path leaves the base URL at",
  otherOrigin: "the credential may only be sent to",
  holdsCredentials: "its address contains a user name or password; the credential is for",
} as const;

/** The method must not carry a credential. Nothing was sent. */
export class MethodNotAllowed extends Data.TaggedError("MethodNotAllowed")<{
  readonly method: "CONNECT" | "TRACE" | "TRACK";
}> {
  readonly code = "PROVIDER_METHOD_NOT_ALLOWED";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Use another method.";
  override get message(): string {
    return `a ${this.method} request was not sent: ${methodReasons[this.method]}`;
  }
}

const echoes = "its response repeats the request's headers, the credential included";
const methodReasons = {
  CONNECT: "it opens a tunnel, which must not carry the credential",
  TRACE: echoes,
  TRACK: echoes,
} as const;

/**
 * An interceptor inside `authInterceptor` redirected an authenticated request, which would have sent the credential to
 * an address that `authInterceptor` did not check. The redirected request was not sent.
 */
export class InterceptorOrderInvalid extends Data.TaggedError("InterceptorOrderInvalid")<{
  /** Origin of the provider's base URL. */
  readonly expectedOrigin: string;
}> {
  readonly code = "PROVIDER_INTERCEPTOR_ORDER_INVALID";
  readonly remedy: Remedy = "fixInput";
  readonly hint =
    "Pass the redirect interceptor after authInterceptor: compose(authInterceptor(…), interceptors.redirect(…)).";
  override get message(): string {
    return `a redirect of an authenticated request to ${this.expectedOrigin} was not followed: the redirect interceptor is composed before authInterceptor`;
  }
}

/** Another account signed in between two attempts of a request. The request was not repeated. */
export class AccountChanged extends Data.TaggedError("AccountChanged")<{
  /** HTTP status of the last response, which was discarded; absent if there was none. */
  readonly status?: number;
}> {
  readonly code = "PROVIDER_ACCOUNT_CHANGED";
  readonly remedy: Remedy = "retry";
  readonly hint = "Send the request again if it may be sent by the account that is signed in now.";
  override get message(): string {
    const got = this.status === undefined ? "got no response" : `failed with status ${this.status}`;
    return `the request ${got} and was not repeated, because another account is signed in now`;
  }
}

/** A redirect was not followed. */
export class RedirectNotFollowed extends Data.TaggedError("RedirectNotFollowed")<{
  readonly reason:
    | "tooMany"
    | "notHttp"
    | "holdsCredentials"
    | "bodyCannotBeReplayed"
    | "accountChanged";
  readonly status: number;
}> {
  readonly code = "PROVIDER_REDIRECT_NOT_FOLLOWED";
  get remedy(): Remedy {
    if (this.reason === "accountChanged") return "retry";
    return this.reason === "bodyCannotBeReplayed" ? "fixInput" : "fixConfig";
  }
  get hint(): string {
    return this.reason === "accountChanged"
      ? "Send the request again if it may be sent by the account that is signed in now."
      : "Check the provider's base URL.";
  }
  override get message(): string {
    return `a redirect (status ${this.status}) was not followed: ${redirectReasons[this.reason]}`;
  }
}

const redirectReasons = {
  tooMany: "there were too many",
  notHttp: "its target is not an http(s) URL",
  holdsCredentials: "its target contains a user name or password",
  bodyCannotBeReplayed: "the request body is a stream that was already sent",
  accountChanged: "another account is signed in now",
} as const;

/** The server's certificate chain does not end in a trusted root. Nothing was sent. */
export class CertificateUntrusted extends Data.TaggedError("CertificateUntrusted")<{
  readonly origin: string;
  /** OpenSSL's code for the failure. */
  readonly reason: string;
}> {
  readonly code = "PROVIDER_CERTIFICATE_UNTRUSTED";
  readonly remedy: Remedy = "fixNetwork";
  readonly hint =
    "Set CODEX_CA_CERTIFICATE to a PEM file with the root certificate of your network.";
  override get message(): string {
    return `the certificate of ${this.origin} is not trusted (${this.reason})`;
  }
}

/** The server, or a proxy on the way to it, did not open the WebSocket. */
export class WebSocketNotOpened extends Data.TaggedError("WebSocketNotOpened")<{
  readonly origin: string;
  /** HTTP status of the response; absent if there was none. */
  readonly status?: number;
}> {
  readonly code = "PROVIDER_WEBSOCKET_NOT_OPENED";
  get remedy(): Remedy {
    if (this.status === 401) return "signIn";
    return this.status === undefined ? "fixNetwork" : "fixConfig";
  }
  get hint(): string {
    return this.status === 401 ? "Sign in again." : "Check the provider's base URL.";
  }
  override get message(): string {
    const why = this.status === undefined ? "no response" : `status ${this.status}`;
    return `the WebSocket to ${this.origin} was not opened (${why})`;
  }
}

/** Why a request was not sent, not redirected, or not repeated although a credential was available. */
export type RequestError =
  | RequestOriginNotAllowed
  | MethodNotAllowed
  | InterceptorOrderInvalid
  | AccountChanged
  | RedirectNotFollowed
  | CertificateUntrusted
  | DispatcherNotSupported
  | WebSocketNotOpened;
