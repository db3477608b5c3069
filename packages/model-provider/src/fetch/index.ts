import type { Dispatcher } from "undici";
import { type RequestOptions, requestTools } from "../requests/options.ts";
import type { SignerOptions } from "../signing/request-signer.ts";
import { readRequest } from "./read-request.ts";
import { runRequest } from "./request-run.ts";
import { loadUndiciFetch, type SendRequest } from "./undici-fetch.ts";

export type { RequestOptions, RetryOptions } from "../requests/options.ts";
export type { SendInit, SendRequest } from "./undici-fetch.ts";

/** The signature of `fetch`. */
export type AuthenticatedFetch = (
  input: string | URL | Request,
  init?: RequestInit,
) => Promise<Response>;

export type AuthenticatedFetchOptions = SignerOptions &
  RequestOptions & {
    /** Connections, proxies, TLS. Default: an undici `Agent` of this package. */
    readonly dispatcher?: Dispatcher;
    /** Sends the requests instead of undici's fetch. It has to support `redirect: "manual"` as Node's fetch does. */
    readonly fetch?: SendRequest;
  };

/**
 * Returns a `fetch` that authenticates its requests to the provider.
 *
 * - Every attempt has fresh headers. On a 401 the credential is recovered and the request is repeated, at most twice, if
 *   its body can be sent again: text, bytes, `URLSearchParams`, `Blob`, `FormData`, and the body of a `Request` up to
 *   8 MiB, but not a stream. 5xx, 429 and transport failures are retried as configured. An idempotent request whose
 *   connection the server closed is sent once more on another connection.
 * - Bodies and headers are copied when the function is called, so the caller may change them afterwards. Bodies stream in
 *   both directions.
 * - Every attempt is for the account of the first. If another account signs in, the request is not repeated: the caller
 *   gets the last response, or the promise rejects with `AccountChanged` or `RedirectNotFollowed`.
 * - The credential is sent to the provider's origin only, and not after a redirect has left it. A relative input is a path
 *   below the provider's base URL.
 *
 * If a credential is needed and not available, the promise rejects with a `ModelProviderError` and nothing is sent.
 * TRACE, TRACK and CONNECT are rejected as well. Throws `TypeError` for invalid options.
 *
 * @example
 * ```ts
 * import { createAuthenticatedFetch } from "@agent-auth/model-provider/fetch";
 * import type { RequestSignerShape } from "@agent-auth/model-provider/signing";
 *
 * const listModels = async (signer: RequestSignerShape): Promise<unknown> => {
 *   const fetch = createAuthenticatedFetch({ signer, maxRetries: 2 });
 *   return (await fetch("/models")).json();
 * };
 * ```
 */
export const createAuthenticatedFetch = (
  options: AuthenticatedFetchOptions,
): AuthenticatedFetch => {
  const shared = requestTools(options);
  const { runtime, signer } = shared;
  let tools = options.fetch === undefined ? undefined : { ...shared, send: options.fetch };
  const authenticated: AuthenticatedFetch = async (input, init) => {
    const request = readRequest(input, init);
    const signed = signer.signNow() ?? (await runtime.run(signer.sign(), request.init.signal));
    tools ??= { ...shared, send: await loadUndiciFetch(options.dispatcher) };
    return await runRequest(tools, request, signed);
  };
  // The openai SDK reads this to find out whether this fetch supports the global FormData. It does, by converting it.
  return Object.defineProperty(authenticated, "Response", { get: () => Response });
};
