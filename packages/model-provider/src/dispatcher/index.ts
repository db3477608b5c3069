import type { Dispatcher } from "undici";
import type { RequestOptions } from "../requests/options.ts";
import type { SignerOptions } from "../signing/request-signer.ts";
import { makeInterceptor } from "./interceptor.ts";

export type AuthInterceptorOptions = SignerOptions & RequestOptions;

/**
 * Returns an interceptor for `dispatcher.compose(...)` that authenticates requests to the provider, sent by any of
 * undici's functions: `request`, `stream`, `pipeline`, `fetch`, `WebSocket`.
 *
 * - Every attempt has fresh headers. On a 401 the credential is recovered and the request is repeated, at most twice, if
 *   its body can be sent again: text, bytes, `Blob`, `FormData`, but no stream (and undici's fetch makes a stream of
 *   every body). 5xx, 429 and transport failures are retried as configured. An idempotent request whose connection the
 *   server closed is sent once more on another connection.
 * - Every attempt is for the account of the first. If another account signs in, the request is not repeated: the caller
 *   gets the last response, or the request fails with `AccountChanged`.
 * - The credential is sent to the provider's origin only.
 *
 * Order matters. Pass interceptors that send requests again (redirect, retry) after this one, so that every request goes
 * through it: `agent.compose(authInterceptor(options), interceptors.redirect({ maxRedirections: 5 }))`. If a redirect
 * interceptor is passed before it, a redirected request fails with `InterceptorOrderInvalid` before it is sent. Pass
 * interceptors that share responses (cache, deduplicate) before this one, so that they see whose request it is:
 * `agent.compose(interceptors.cache(), authInterceptor(options))`.
 *
 * If a credential is needed and not available, the request fails with a `ModelProviderError` and nothing is sent.
 * TRACE, TRACK and CONNECT to the provider's origin fail as well. Throws `TypeError` for invalid options.
 *
 * @example
 * ```ts
 * import { authInterceptor } from "@agent-auth/model-provider/dispatcher";
 * import type { RequestSignerShape } from "@agent-auth/model-provider/signing";
 * import { Agent, type Dispatcher } from "undici";
 *
 * const authenticatedAgent = (signer: RequestSignerShape): Dispatcher =>
 *   new Agent().compose(authInterceptor({ signer }));
 * ```
 */
export const authInterceptor = (
  options: AuthInterceptorOptions,
): Dispatcher.DispatcherComposeInterceptor => makeInterceptor(options);
