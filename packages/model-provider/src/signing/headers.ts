import * as Option from "effect/Option";
import { makeRuntime, type RuntimeOptions } from "../runtime/index.ts";
import { type SignerOptions, signerFrom } from "./request-signer.ts";
import type { SignedHeaders } from "./signed-headers.ts";

export { type AuthHeaders, authHeaderNames, authHeaders } from "./auth-headers.ts";
export type { HeadersLike } from "./header-record.ts";
export type { SignerOptions } from "./request-signer.ts";
export { SignedHeaders } from "./signed-headers.ts";

interface CallOptions {
  /** Ends the wait. A load or refresh that others may wait for continues. */
  readonly signal?: AbortSignal;
}

/** Request headers for your own HTTP client. */
export interface HeaderSource {
  /**
   * Returns fresh headers for one attempt, and where they may be sent. Ask again for every attempt, since an agent
   * assertion is valid for a short time only. Rejects with a `SignError`; send nothing then.
   */
  readonly sign: (call?: CallOptions) => Promise<SignedHeaders>;
  /** As `sign`, as a plain record. Send it to the origin of `baseUrl` only. */
  readonly headers: (call?: CallOptions) => Promise<Record<string, string>>;
  /** Returns the provider's base URL for the credential in use, without a trailing slash. */
  readonly baseUrl: (call?: CallOptions) => Promise<string>;
  /** After a 401: returns headers for one more attempt, or `null` if there is no other credential. */
  readonly recover: (rejected: SignedHeaders, call?: CallOptions) => Promise<SignedHeaders | null>;
}

/**
 * Returns request headers for your own HTTP client. Throws `TypeError` if a manager is needed and missing.
 *
 * @example
 * ```ts
 * import { createHeaderSource } from "@agent-auth/model-provider/signing/headers";
 * import type { RequestSignerShape } from "@agent-auth/model-provider/signing";
 *
 * const modelsRequest = async (signer: RequestSignerShape): Promise<Request> => {
 *   const signed = await createHeaderSource({ signer }).sign();
 *   return new Request(`${signed.target.baseUrl}/models`, { headers: signed.toRecord() });
 * };
 * ```
 */
export const createHeaderSource = (options: SignerOptions & RuntimeOptions): HeaderSource => {
  const signer = signerFrom(options);
  const runtime = makeRuntime(options);
  const sign: HeaderSource["sign"] = async (call) =>
    signer.signNow() ?? (await runtime.run(signer.sign(), call?.signal));
  return {
    sign,
    headers: async (call) => (await sign(call)).toRecord(),
    baseUrl: async (call) => (await sign(call)).target.baseUrl,
    recover: async (rejected, call) =>
      Option.getOrNull(await runtime.run(signer.recover(rejected), call?.signal)),
  };
};
