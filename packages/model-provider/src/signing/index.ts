import type { GatewayTokens } from "@agent-auth/login/gateway-oauth";
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
  type SignerOptions,
} from "./request-signer.ts";

/**
 * Service that authenticates requests to one provider, and gets another credential after a 401.
 *
 * @example
 * ```ts
 * import { resolveProvider } from "@agent-auth/model-provider/provider";
 * import { RequestSigner } from "@agent-auth/model-provider/signing";
 * import * as Effect from "effect/Effect";
 * import * as Result from "effect/Result";
 *
 * const config = { chatgptBaseUrl: "https://chatgpt.com/backend-api", modelProviders: new Map() };
 * const provider = Result.getOrThrow(
 *   resolveProvider({ config, environment: { variable: () => undefined } }),
 * );
 * const headerNames = Effect.gen(function* () {
 *   const signer = yield* RequestSigner;
 *   return (yield* signer.sign()).names;
 * }).pipe(Effect.provide(RequestSigner.layer(provider))); // requires an AuthManager
 * ```
 */
export class RequestSigner extends Context.Service<RequestSigner, RequestSignerShape>()(
  "@agent-auth/model-provider/signing",
) {
  /** Signs with the `AuthManager`, or with the provider's own key or token. Time comes from Effect's `Clock`. */
  static readonly layer = (
    provider: ModelProvider,
    gateway?: GatewayTokens,
  ): Layer.Layer<RequestSigner, never, AuthManager> =>
    Layer.effect(
      RequestSigner,
      Effect.gen(function* () {
        const manager = yield* AuthManager;
        const clock = yield* Clock.Clock;
        const now = () => clock.currentTimeMillisUnsafe();
        return makeRequestSigner({ provider, manager, now, ...(gateway && { gateway }) });
      }),
    );

  /** Signs without an `AuthManager`, for providers that have their own key or token, or need none. */
  static readonly layerNoManager = (
    provider: ModelProvider,
    gateway?: GatewayTokens,
  ): Layer.Layer<RequestSigner> =>
    Layer.effect(
      RequestSigner,
      Effect.gen(function* () {
        const clock = yield* Clock.Clock;
        const now = () => clock.currentTimeMillisUnsafe();
        return makeRequestSigner({ provider, now, ...(gateway && { gateway }) });
      }),
    );
}
