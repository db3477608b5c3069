import * as Data from "effect/Data";

/** The request is for a place where the identity must not go. Nothing was sent. */
export class RequestOriginNotAllowed extends Data.TaggedError("RequestOriginNotAllowed")<{
  readonly reason: "notAUrl" | "leavesBasePath" | "otherOrigin" | "holdsCredentials";
  /** Origin of the provider's base URL. */
  readonly expectedOrigin: string;
  /** Origin that was asked for, where the address is a URL. */
  readonly origin?: string;
}> {
  readonly code = "PROVIDER_REQUEST_ORIGIN_NOT_ALLOWED";
  readonly hint = "Give a path below the provider's base URL.";
  override get message(): string {
    const what = this.origin === undefined ? "the request" : `a request to ${this.origin}`;
    return `${what} was not sent: ${outsideReasons[this.reason]} ${this.expectedOrigin}`;
  }
}

const outsideReasons = {
  notAUrl: "it is no URL, and no path below the base URL at",
  leavesBasePath: "its path leaves the base URL at",
  otherOrigin: "identities are for",
  holdsCredentials: "its address holds a user name or password, unlike those at",
} as const;

/** The method is one that no identity may go with. Nothing was sent. */
export class MethodRefused extends Data.TaggedError("MethodRefused")<{
  readonly method: "CONNECT" | "TRACE" | "TRACK";
}> {
  readonly code = "PROVIDER_METHOD_REFUSED";
  readonly hint = "Use another method.";
  override get message(): string {
    return `a ${this.method} request was not sent: ${methodReasons[this.method]}`;
  }
}

const echoes = "its answer repeats the request's headers, the identity among them";
const methodReasons = {
  CONNECT: "it opens a tunnel, which is no place for an identity",
  TRACE: echoes,
  TRACK: echoes,
} as const;

/** Another account signed in between two attempts of a request, which was made for the first. It was not repeated. */
export class AccountChanged extends Data.TaggedError("AccountChanged")<{
  /** HTTP status of the last answer, which is gone; absent where there was none. */
  readonly status?: number;
}> {
  readonly code = "PROVIDER_ACCOUNT_CHANGED";
  readonly hint = "Send the request again if the account that is signed in now may make it.";
  override get message(): string {
    const got = this.status === undefined ? "got no answer" : `failed with status ${this.status}`;
    return `the request ${got} and was not repeated: another account is signed in now`;
  }
}

/** A redirect was not followed. */
export class RedirectRefused extends Data.TaggedError("RedirectRefused")<{
  readonly reason:
    | "tooMany"
    | "notHttp"
    | "holdsCredentials"
    | "bodyCannotBeReplayed"
    | "accountChanged";
  readonly status: number;
}> {
  readonly code = "PROVIDER_REDIRECT_REFUSED";
  get hint(): string {
    return this.reason === "accountChanged"
      ? "Send the request again if the account that is signed in now may make it."
      : "Check the provider's base URL.";
  }
  override get message(): string {
    return `a redirect (status ${this.status}) was not followed: ${redirectReasons[this.reason]}`;
  }
}

const redirectReasons = {
  tooMany: "there were too many",
  notHttp: "it leads to something that is not http(s)",
  holdsCredentials: "its address holds a user name or password",
  bodyCannotBeReplayed: "the request's body is a stream that was already sent",
  accountChanged: "another account is signed in now",
} as const;

/** The server's certificate is signed by an authority that this machine does not know. Nothing was sent. */
export class CertificateUntrusted extends Data.TaggedError("CertificateUntrusted")<{
  readonly origin: string;
  /** OpenSSL's name for what is wrong with the chain. */
  readonly reason: string;
}> {
  readonly code = "PROVIDER_CERTIFICATE_UNTRUSTED";
  readonly hint =
    "Set CODEX_CA_CERTIFICATE to a PEM file with the root certificate of your network.";
  override get message(): string {
    return `the certificate of ${this.origin} is not trusted (${this.reason})`;
  }
}

/** The server, or the network before it, did not open the WebSocket. */
export class WebSocketRefused extends Data.TaggedError("WebSocketRefused")<{
  readonly origin: string;
  /** HTTP status of the refusal; absent where no answer came. */
  readonly status?: number;
}> {
  readonly code = "PROVIDER_WEBSOCKET_REFUSED";
  get hint(): string {
    return this.status === 401 ? "Sign in again." : "Check the provider's base URL.";
  }
  override get message(): string {
    const why = this.status === undefined ? "no answer" : `status ${this.status}`;
    return `WebSocket to ${this.origin} was not opened (${why})`;
  }
}

/** Why a request was not sent, not followed, or not repeated, though there is an identity. */
export type RequestError =
  | RequestOriginNotAllowed
  | MethodRefused
  | AccountChanged
  | RedirectRefused
  | CertificateUntrusted
  | WebSocketRefused;
