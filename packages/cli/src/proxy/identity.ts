import type { ModelProviderError } from "@agent-auth/model-provider/errors";
import type { SignedHeaders } from "@agent-auth/model-provider/headers";
import type { RequestSigner } from "@agent-auth/model-provider/signer";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";

/** Signing, as a server built on callbacks wants it. */
export interface Identity {
  readonly queryParams: readonly (readonly [string, string])[];
  readonly sign: () => Promise<Result.Result<SignedHeaders, ModelProviderError>>;
  /** At once, or `null` where `sign` has to be waited for. */
  readonly signNow: () => SignedHeaders | null;
  /** After a 401: headers for one more attempt, or `null` where nothing more can be done. Never rejects. */
  readonly recover: (rejected: SignedHeaders) => Promise<SignedHeaders | null>;
}

export const identityOf = (signer: RequestSigner["Service"]): Identity => ({
  queryParams: signer.provider.queryParams,
  sign: () => Effect.runPromise(Effect.result(signer.sign())),
  signNow: signer.signNow,
  recover: async (rejected) => {
    const recovered = await Effect.runPromise(Effect.result(signer.recover(rejected)));
    if (Result.isFailure(recovered)) return null;
    const next = Option.getOrNull(recovered.success);
    return next?.target.origin === rejected.target.origin ? next : null;
  },
});
