import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type * as Redacted from "effect/Redacted";
import type { HttpTransportError } from "../errors/index.ts";

/** One request of this package's small protocols. Secrets in it stay `Redacted` until the socket. */
export interface HttpRequest {
  readonly method: "GET" | "POST";
  /** Absolute. Plain `http` is for loopback hosts only, unless the layer was told otherwise. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string | Redacted.Redacted>>;
  readonly body?: string | Redacted.Redacted;
  /** Milliseconds for the whole exchange, body included. */
  readonly timeoutMs: number;
  /** Bytes of body after which the answer is refused. Default 1 MiB. */
  readonly maxBodyBytes?: number;
}

/** An answer read whole. Its status is not judged. */
export interface HttpResponse {
  readonly status: number;
  readonly statusText: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** UTF-8 text, not checked in any way. */
  readonly body: string;
}

/** Bytes of response headers that a client accepts. Node's own limit of 16 KiB is too small for some gateways. */
export const maxResponseHeaderBytes = 256 * 1024;

/** Sends requests. `./http-transport-undici` is the layer over undici; tests bring their own. */
export class HttpTransport extends Context.Service<
  HttpTransport,
  {
    /**
     * Sends one request and reads its whole answer. Redirects are followed within the origin only, never from
     * https to http. Any status comes back as an answer; failing to get one is the error.
     */
    readonly request: (request: HttpRequest) => Effect.Effect<HttpResponse, HttpTransportError>;
  }
>()("@agent-auth/agent-identity/http") {}

/** OpenSSL's codes for a certificate chain that does not end in a trusted root. */
const untrustedCertificateCodes: ReadonlySet<unknown> = new Set([
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/**
 * Returns whether an error code (of Node's `tls`, or the `reason` of `HttpConnectionFailed`) means that the server's
 * certificate chain does not end in a trusted root: adding that root to the trusted certificates is the remedy. Codes
 * of certificates that are expired or issued for another host are not among them.
 *
 * @example
 * ```ts
 * import { isUntrustedCertificateCode } from "@agent-auth/agent-identity/http";
 *
 * isUntrustedCertificateCode("SELF_SIGNED_CERT_IN_CHAIN"); // true
 * isUntrustedCertificateCode("CERT_HAS_EXPIRED"); // false
 * ```
 */
export const isUntrustedCertificateCode = (code: unknown): boolean =>
  untrustedCertificateCodes.has(code);
