import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type * as Redacted from "effect/Redacted";
import type { HttpTransportError } from "../errors/index.ts";

export { isRedirectStatus, isSuccessStatus, isTransientStatus } from "./status.ts";

/** One request of this package. Secrets in it stay `Redacted` until they are written to the socket. */
export interface HttpRequest {
  readonly method: "GET" | "POST";
  /** Absolute. Plain `http` is for loopback hosts only, unless the layer allows it. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string | Redacted.Redacted>>;
  readonly body?: string | Redacted.Redacted;
  /** Milliseconds for the whole request, response body included. */
  readonly timeoutMs: number;
  /** Whether redirects within the origin are followed. Default true; if false, a redirect is a response. */
  readonly followRedirects?: boolean;
  /** Maximum size of the response body in bytes. Default 1 MiB. */
  readonly maxBodyBytes?: number;
}

/** A complete response of any status. */
export interface HttpResponse {
  readonly status: number;
  readonly statusText: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as UTF-8 text. It has not been validated. */
  readonly body: string;
}

/** Bytes of response headers that a client accepts. Node's own limit of 16 KiB is too small for some gateways. */
export const maxResponseHeaderBytes = 256 * 1024;

/**
 * Sends HTTP requests. `@agent-auth/agent-identity/http/undici` is the layer over undici; tests provide their own.
 *
 * @example
 * ```ts
 * import { HttpTransport } from "@agent-auth/agent-identity/http";
 * import * as Effect from "effect/Effect";
 *
 * const transport = HttpTransport.of({
 *   request: () => Effect.succeed({ status: 200, statusText: "OK", headers: {}, body: "{}" }),
 * });
 * await Effect.runPromise(
 *   transport.request({ method: "GET", url: "https://authority.example/jwks", timeoutMs: 1000 }),
 * );
 * ```
 */
export class HttpTransport extends Context.Service<
  HttpTransport,
  {
    /**
     * Sends one request and reads its whole response. Follows redirects within the origin only, never from https to
     * http. A response of any status is a success; fails only if there is no complete response.
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
