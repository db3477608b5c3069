import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/** The CA bundle that a variable names cannot be used. No request is sent. */
export class CaBundleUnusable extends Data.TaggedError("CaBundleUnusable")<{
  readonly variable: string;
  readonly path: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_CA_BUNDLE_UNUSABLE";
  readonly remedy: Remedy = "fixEnvironment";
  get hint(): string {
    return `Set ${this.variable} to a PEM file with certificates.`;
  }
  override get message(): string {
    return `${this.variable}: cannot use ${this.path}: ${this.reason}`;
  }
}

/** A proxy variable does not hold a usable URL. No request is sent. The value may hold a password, so it is not shown. */
export class ProxyUnusable extends Data.TaggedError("ProxyUnusable")<{
  readonly variable: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_PROXY_UNUSABLE";
  readonly remedy: Remedy = "fixEnvironment";
  get hint(): string {
    return `Set ${this.variable} to the URL of an http or https proxy.`;
  }
  override get message(): string {
    return `${this.variable}: ${this.reason}`;
  }
}

/**
 * A proxy cannot be reached, or refused to pass a request on. The target has not seen the request. An http or https
 * failure of the target itself is never reported with this error.
 */
export class ProxyRequestFailed extends Data.TaggedError("ProxyRequestFailed")<{
  readonly variable: string;
  /** Scheme, host and port; no user name, no password. */
  readonly proxy: string;
  /** Status of the proxy's response, if there was one. */
  readonly status?: number;
  readonly reason: string;
  readonly isCertificateUntrusted: boolean;
}> {
  readonly code = "LOGIN_PROXY_REQUEST_FAILED";
  get remedy(): Remedy {
    return this.status === 407 || this.isCertificateUntrusted ? "fixEnvironment" : "fixNetwork";
  }
  get hint(): string {
    if (this.isCertificateUntrusted)
      return "Set CODEX_CA_CERTIFICATE to a PEM file with the root certificate of the proxy.";
    if (this.status === 407)
      return `Put the right user name and password of the proxy into ${this.variable}.`;
    return this.status === undefined
      ? `Check that the proxy in ${this.variable} is running.`
      : `Ask the proxy's administrator to allow that host, or name the host in NO_PROXY.`;
  }
  override get message(): string {
    const answered = this.status === undefined ? "failed" : `answered with status ${this.status}`;
    return `${this.variable}: the proxy ${this.proxy} ${answered}: ${this.reason}`;
  }
}

export type HttpClientError = CaBundleUnusable | ProxyUnusable | ProxyRequestFailed;
