import { type ModelProvider, resolveProvider } from "@agent-auth/model-provider/provider";
import { RequestSigner, type RequestSignerShape } from "@agent-auth/model-provider/signing";
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

/**
 * The signer, for callbacks that no fiber of the command runs, such as undici's: its warnings go to
 * stderr like every warning of the command. Effect's own logger would write it to stdout, into the output.
 */
export const signerForCallbacks = Effect.gen(function* () {
  const signer = yield* RequestSigner;
  const context = yield* Effect.context();
  const bound: RequestSignerShape = {
    ...signer,
    sign: () => Effect.provideContext(signer.sign(), context),
    recover: (...given) => Effect.provideContext(signer.recover(...given), context),
  };
  return bound;
});

/** The headers that a request of this session would have now. */
export const signOnce = Effect.fnUntraced(function* (session: Session) {
  const provider = yield* sessionProvider(session);
  return yield* RequestSigner.use((signer) => signer.sign()).pipe(
    Effect.provide(signerLayer(session, provider)),
  );
});
