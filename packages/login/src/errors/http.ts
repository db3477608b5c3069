import * as Data from "effect/Data";

/** The file of extra root certificates that a variable names cannot be used, so no request is sent. */
export class CaBundleUnusable extends Data.TaggedError("CaBundleUnusable")<{
  readonly variable: string;
  readonly path: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_CA_BUNDLE_UNUSABLE";
  get hint(): string {
    return `Point ${this.variable} to a readable PEM file with certificates, or unset it.`;
  }
  override get message(): string {
    return `${this.variable}: cannot use ${this.path}: ${this.reason}`;
  }
}

/** A proxy variable holds no usable URL, so no request is sent. The value is not repeated: it may hold a password. */
export class ProxyUnusable extends Data.TaggedError("ProxyUnusable")<{
  readonly variable: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_PROXY_UNUSABLE";
  get hint(): string {
    return `Correct or unset ${this.variable}.`;
  }
  override get message(): string {
    return `${this.variable}: ${this.reason}`;
  }
}

export type HttpClientError = CaBundleUnusable | ProxyUnusable;
