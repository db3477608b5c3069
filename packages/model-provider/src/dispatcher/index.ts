import type { Dispatcher } from "undici";
import type { RequestOptions } from "../fetch/index.ts";
import { interceptor } from "./interceptor.ts";
import type { SignerOptions } from "../signing/signer-options.ts";

export type AuthInterceptorOptions = SignerOptions & RequestOptions;

/**
 * An interceptor for `dispatcher.compose(...)` that speaks for the signed-in identity, under everything that undici
 * offers: `request`, `stream`, `pipeline`, `fetch`, `WebSocket`. Every attempt gets fresh headers; a 401 is mended and
 * the request repeated at most twice, where its body can be sent again (text, bytes, `Blob`, `FormData`, but no stream,
 * and undici's fetch streams every body); 5xx, 429 and transport failures are retried as configured.
 *
 * Every attempt speaks for the account of the first. Where another one signs in meanwhile, the request is not repeated:
 * the last answer is the caller's, or the request fails with `AccountChanged`.
 *
 * The identity goes to the provider's origin only. What follows redirects or retries goes after it, so that it comes
 * through it again: `agent.compose(authInterceptor(options), interceptors.redirect({ maxRedirections: 5 }))`. What shares
 * answers goes before it, so that it sees whose they are: `agent.compose(interceptors.cache(), authInterceptor(options))`;
 * a cache after it would give one account what was meant for another. Where a
 * credential is wanted and cannot be had, the request fails with a `ModelProviderError` and nothing is sent; so do
 * TRACE and TRACK, whose answers repeat the headers, and CONNECT, to the provider's origin.
 */
export const authInterceptor = (
  options: AuthInterceptorOptions,
): Dispatcher.DispatcherComposeInterceptor => interceptor(options);
