import { AuthManager } from "@agent-auth/login/manager";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { ModelProvider } from "../provider/index.ts";
import { makeRequestSigner, type RequestSignerShape } from "./request-signer.ts";

export {
  makeRequestSigner,
  type RequestSignerOptions,
  type RequestSignerShape,
} from "./request-signer.ts";

/** Writes one identity on requests to one provider, and mends the identity after a 401. */
export class RequestSigner extends Context.Service<RequestSigner, RequestSignerShape>()(
  "@agent-auth/model-provider/signing",
) {
  /** Signs with the `AuthManager` in reach, or with what the provider brings itself. Time is Effect's `Clock`. */
  static readonly layer = (
    provider: ModelProvider,
  ): Layer.Layer<RequestSigner, never, AuthManager> =>
    Layer.effect(
      RequestSigner,
      Effect.gen(function* () {
        const manager = yield* AuthManager;
        const clock = yield* Clock.Clock;
        return makeRequestSigner({ provider, manager, now: () => clock.currentTimeMillisUnsafe() });
      }),
    );

  /** For providers that bring their own token or need none: no manager. */
  static readonly layerNoManager = (provider: ModelProvider): Layer.Layer<RequestSigner> =>
    Layer.effect(
      RequestSigner,
      Effect.gen(function* () {
        const clock = yield* Clock.Clock;
        return makeRequestSigner({ provider, now: () => clock.currentTimeMillisUnsafe() });
      }),
    );
}
