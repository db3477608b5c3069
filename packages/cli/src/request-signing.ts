import { type ModelProvider, resolveProvider } from "@agent-auth/model-provider/provider";
import { RequestSigner } from "@agent-auth/model-provider/signing";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { managerLayer, type Session } from "./session.ts";

/** The model provider that this session's requests go to, checked. */
export const sessionProvider = (session: Session) =>
  Effect.fromResult(resolveProvider({ config: session.config, environment: session.environment }));

/** The one signer of a process. A provider that brings its own token needs no manager. */
export const signerLayer = (
  session: Session,
  provider: ModelProvider,
  use: "requests" | "keep" = "requests",
) =>
  provider.auth._tag === "SignedIn"
    ? RequestSigner.layer(provider).pipe(Layer.provide(managerLayer(session, use)))
    : RequestSigner.layerNoManager(provider);

/** The headers that a request of this session would have now. */
export const signOnce = Effect.fnUntraced(function* (session: Session) {
  const provider = yield* sessionProvider(session);
  return yield* RequestSigner.use((signer) => signer.sign()).pipe(
    Effect.provide(signerLayer(session, provider)),
  );
});
