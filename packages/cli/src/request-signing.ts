import type { GatewaySessionConfig } from "@agent-auth/login/config";
import type { GatewayTokens } from "@agent-auth/login/gateway-oauth";
import { type ModelProvider, resolveProvider } from "@agent-auth/model-provider/provider";
import { RequestSigner } from "@agent-auth/model-provider/signing";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { managerLayer, type Session, userAgent } from "./session.ts";

/** The model provider that this session's requests go to, checked. */
export const sessionProvider = (session: Session) =>
  Effect.fromResult(resolveProvider({ config: session.config, environment: session.environment }));

/** The one signer of a process. A provider that has its own token needs no manager. */
export const signerLayer = (
  session: Session,
  provider: ModelProvider,
  use: "requests" | "keep" = "requests",
) =>
  provider.gateway?._tag === "Session"
    ? Layer.unwrap(
        Effect.map(gatewayTokens(session, provider, provider.gateway), (gateway) =>
          withManager(session, provider, use, gateway),
        ),
      )
    : withManager(session, provider, use);

const withManager = (
  session: Session,
  provider: ModelProvider,
  use: "requests" | "keep",
  gateway?: GatewayTokens,
) =>
  provider.auth._tag === "SignedIn"
    ? RequestSigner.layer(provider, gateway).pipe(Layer.provide(managerLayer(session, use)))
    : RequestSigner.layerNoManager(provider, gateway);

/** Loaded only for a provider behind a gateway. */
const gatewayTokens = Effect.fnUntraced(function* (
  { environment }: Session,
  { id: providerId }: ModelProvider,
  config: GatewaySessionConfig,
) {
  const { layer } = yield* Effect.promise(() => import("@agent-auth/login/http"));
  const it = yield* Effect.promise(() => import("@agent-auth/login/gateway-oauth"));
  const http = yield* Layer.build(layer(environment, { userAgent }));
  const { codexHome } = environment;
  return yield* Effect.provideContext(
    it.makeGatewayTokens({ providerId, config, codexHome }),
    http,
  );
});

/** The headers that a request of this session would have now. */
export const signOnce = Effect.fnUntraced(function* (session: Session) {
  const provider = yield* sessionProvider(session);
  return yield* RequestSigner.use((signer) => signer.sign()).pipe(
    Effect.provide(signerLayer(session, provider)),
  );
});
