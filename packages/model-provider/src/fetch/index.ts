import * as Effect from "effect/Effect";
import type { Dispatcher } from "undici";
import type { ModelProviderError } from "../errors/index.ts";
import { exchange, type ExchangePolicy } from "./exchange.ts";
import { readRequest } from "./read-request.ts";
import { type RetryOptions, retryPolicy } from "../requests/retry-policy.ts";
import { type SignerOptions, signerFrom } from "../signing/signer-options.ts";
import { loadUndiciSend, type Send } from "./undici-send.ts";
import { waitFor } from "../requests/wait-for.ts";

/** The signature of `fetch`. */
export type AuthenticatedFetch = (
  input: string | URL | Request,
  init?: RequestInit,
) => Promise<Response>;

export interface RequestOptions extends RetryOptions {
  /**
   * What becomes of requests to other origins than the provider's. `withoutIdentity` (the default) sends them as they
   * are, `refuse` rejects with `RequestOriginNotAllowed`.
   */
  readonly otherOrigins?: "withoutIdentity" | "refuse";
  /** Told why a 401 could not be mended. The caller gets the 401 itself. */
  readonly onRecoveryFailed?: (error: ModelProviderError) => void;
}

export type AuthenticatedFetchOptions = SignerOptions &
  RequestOptions & {
    /** Connections, proxies, TLS. Default: an undici `Agent` of this package. */
    readonly dispatcher?: Dispatcher;
    /** Sends the requests instead of undici's fetch. It has to honour `redirect: "manual"` as Node's does. */
    readonly fetch?: Send;
  };

/**
 * A `fetch` that speaks for the signed-in identity. Every attempt gets fresh headers; a 401 is mended and the request
 * repeated at most twice, where its body can be sent again (text, bytes, `URLSearchParams`, `Blob`, `FormData`, but
 * no stream, as which a `Request`'s body counts); 5xx, 429 and transport failures are retried as configured. Bodies stream in both directions.
 *
 * Every attempt speaks for the account of the first. Where another one signs in meanwhile, the request is not repeated:
 * the last answer is the caller's, or the promise rejects with `AccountChanged` or `RedirectRefused`.
 *
 * The identity goes to the provider's origin only: not to other origins, and not on after a redirect has left it. A
 * relative input is a path below the provider's base URL. Where a credential is wanted and cannot be had, the promise
 * rejects with a `ModelProviderError` and nothing is sent; so it does for TRACE, TRACK and CONNECT. Throws `TypeError` where the options do not fit together.
 */
export const createAuthenticatedFetch = (
  options: AuthenticatedFetchOptions,
): AuthenticatedFetch => {
  const signer = signerFrom(options);
  const policy: ExchangePolicy = {
    retry: retryPolicy(options, signer.provider.requestMaxRetries),
    otherOrigins: options.otherOrigins ?? "withoutIdentity",
    onRecoveryFailed: options.onRecoveryFailed ?? (() => {}),
  };
  let send = options.fetch;
  const authenticated: AuthenticatedFetch = async (input, init) => {
    const request = readRequest(input, init);
    const signed =
      signer.signNow() ?? (await waitFor(Effect.runPromise(signer.sign()), request.init.signal));
    send ??= await loadUndiciSend(options.dispatcher);
    return await exchange({ signer, policy, send }, request, signed);
  };
  // The openai SDK looks here to find out whether this fetch knows the global FormData; ours translates it.
  return Object.defineProperty(authenticated, "Response", { get: () => Response });
};
