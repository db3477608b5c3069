import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { waitFor } from "../requests/wait-for.ts";
import { type SignerOptions, signerFrom } from "./signer-options.ts";
import type { SignedHeaders } from "./signed-headers.ts";

export { type AuthHeaders, authHeaders, identityHeaderNames } from "./auth-headers.ts";
export { type HeadersLike, SignedHeaders } from "./signed-headers.ts";
export type { SignerOptions } from "./signer-options.ts";

/** Headers for an HTTP client of your own. */
export interface HeaderSource {
  /**
   * Fresh headers for one attempt, and where they may be sent. Ask again for every attempt: an agent assertion is
   * good for its moment only. Rejects with a `SignError`; then send nothing. `signal` ends the waiting, not the load.
   */
  readonly sign: (call?: { readonly signal?: AbortSignal }) => Promise<SignedHeaders>;
  /** `sign`, as a plain record. They belong on requests to the origin of `baseUrl` and on no other. */
  readonly headers: (call?: { readonly signal?: AbortSignal }) => Promise<Record<string, string>>;
  /** Base URL of the provider for the credential that signs now, without a trailing slash. */
  readonly baseUrl: (call?: { readonly signal?: AbortSignal }) => Promise<string>;
  /** After a 401: headers for one more attempt, or `null` where nothing more can be done. */
  readonly recover: (
    rejected: SignedHeaders,
    call?: { readonly signal?: AbortSignal },
  ) => Promise<SignedHeaders | null>;
}

/** Headers for whoever brings their own HTTP client. Throws `TypeError` where the options do not fit together. */
export const createHeaderSource = (options: SignerOptions): HeaderSource => {
  const signer = signerFrom(options);
  const sign: HeaderSource["sign"] = async (call) =>
    signer.signNow() ?? (await waitFor(Effect.runPromise(signer.sign()), call?.signal));
  return {
    sign,
    headers: async (call) => (await sign(call)).toRecord(),
    baseUrl: async (call) => (await sign(call)).target.baseUrl,
    recover: async (rejected, call) =>
      Option.getOrNull(await waitFor(Effect.runPromise(signer.recover(rejected)), call?.signal)),
  };
};
