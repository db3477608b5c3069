import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as FetchHttpClient from "effect/http/FetchHttpClient";
import type { HttpClient } from "effect/http/HttpClient";
import type { HttpClientError } from "effect/http/HttpClientError";
import type { Dispatcher } from "undici";
import { createAuthenticatedFetch, type RequestOptions } from "./index.ts";
import { isModelProviderError, type ModelProviderError } from "../errors/index.ts";
import type { Send } from "./undici-send.ts";
import { RequestSigner } from "../signing/index.ts";

export interface HttpClientOptions extends RequestOptions {
  /** Connections, proxies, TLS. Default: an undici `Agent` of this package. */
  readonly dispatcher?: Dispatcher;
  /** Sends the requests instead of undici's fetch. */
  readonly fetch?: Send;
}

/**
 * Effect's `HttpClient`, speaking for the signed-in identity: what `createAuthenticatedFetch` promises holds for every
 * request, relative URLs excepted. A body that is a `Stream` streams, and is not sent again after a 401. Spans show a
 * request as it was before the identity was put on it. Where the identity is what failed, `signFailure` finds out why.
 */
export const layer = (
  options: HttpClientOptions = {},
): Layer.Layer<HttpClient, never, RequestSigner> =>
  FetchHttpClient.layer.pipe(
    Layer.provide(
      Layer.effect(
        FetchHttpClient.Fetch,
        Effect.map(RequestSigner, (signer) => createAuthenticatedFetch({ ...options, signer })),
      ),
    ),
  );

/** The typed reason inside a client's error, where a request was not sent or not followed on the identity's account. */
export const signFailure = (error: HttpClientError): ModelProviderError | undefined => {
  const { cause } = error.reason;
  return isModelProviderError(cause) ? cause : undefined;
};
