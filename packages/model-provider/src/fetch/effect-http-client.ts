import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as FetchHttpClient from "effect/http/FetchHttpClient";
import * as HttpClient from "effect/http/HttpClient";
import type { HttpClientError } from "effect/http/HttpClientError";
import type { Dispatcher } from "undici";
import { isModelProviderError, type ModelProviderError } from "../errors/index.ts";
import type { RequestOptions } from "../requests/options.ts";
import { RequestSigner } from "../signing/index.ts";
import { createAuthenticatedFetch } from "./index.ts";
import type { SendRequest } from "./undici-fetch.ts";

export interface HttpClientOptions extends Omit<RequestOptions, "context"> {
  /** Connections, proxies, TLS. Default: an undici `Agent` of this package. */
  readonly dispatcher?: Dispatcher;
  /** Sends the requests instead of undici's fetch. */
  readonly fetch?: SendRequest;
}

/**
 * Effect's `HttpClient` over `createAuthenticatedFetch`, with the same behaviour, except that URLs must be absolute. A
 * body that is a `Stream` is streamed and not sent again after a 401. Credentials are loaded and recovered in the
 * context of the request, so that its logger and tracer are used. The request's own span shows it without the
 * credential. If authentication failed, `signFailure` finds the reason.
 *
 * @example
 * ```ts
 * import * as AuthenticatedHttp from "@agent-auth/model-provider/effect-http-client";
 * import type { ModelProvider } from "@agent-auth/model-provider/provider";
 * import { RequestSigner } from "@agent-auth/model-provider/signing";
 * import * as Layer from "effect/Layer";
 *
 * const httpClient = (provider: ModelProvider) =>
 *   Layer.provide(AuthenticatedHttp.layer({ maxRetries: 2 }), RequestSigner.layer(provider));
 * ```
 */
export const layer = (
  options: HttpClientOptions = {},
): Layer.Layer<HttpClient.HttpClient, never, RequestSigner> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.gen(function* () {
      const signer = yield* RequestSigner;
      const client = yield* HttpClient.HttpClient;
      return HttpClient.transform(client, (response) =>
        Effect.contextWith((context: Context.Context<never>) =>
          Effect.provideService(
            response,
            FetchHttpClient.Fetch,
            createAuthenticatedFetch({ ...options, signer, context }),
          ),
        ),
      );
    }),
  ).pipe(Layer.provide(FetchHttpClient.layer));

/**
 * Returns the typed reason inside a client's error if a request was not sent, not redirected or not repeated because of
 * its credential.
 *
 * @example
 * ```ts
 * import { signFailure } from "@agent-auth/model-provider/effect-http-client";
 * import type { HttpClientError } from "effect/http/HttpClientError";
 *
 * const needsSignIn = (error: HttpClientError): boolean =>
 *   signFailure(error)?.code === "PROVIDER_SIGN_IN_REQUIRED";
 * ```
 */
export const signFailure = (error: HttpClientError): ModelProviderError | undefined => {
  const { cause } = error.reason;
  return isModelProviderError(cause) ? cause : undefined;
};
