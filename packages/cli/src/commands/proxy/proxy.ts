import { overridingEnvVar } from "@agent-auth/login/config/environment";
import { AuthManager } from "@agent-auth/login/manager";
import { makeDispatcher, defaultHeaders } from "@agent-auth/login/http";
import { RequestSigner } from "@agent-auth/model-provider/signing";
import { authInterceptor } from "@agent-auth/model-provider/dispatcher";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { parseInteger } from "../../argv/parse.ts";
import { explainCredentialError } from "../../errors/credential-error.ts";
import { errorToJson, reportError } from "../../errors/report.ts";
import { accessLine } from "../../proxy/access-log.ts";
import type { ExchangeTools } from "../../proxy/exchange.ts";
import { type FollowedSignIn, followSignIn } from "../../proxy/follow-sign-in.ts";
import { listen } from "../../proxy/server.ts";
import { storedSignIn } from "../../proxy/stored-sign-in.ts";
import { sessionProvider, signerForCallbacks, signerLayer } from "../../request-signing.ts";
import { managerLayer, openSession, type Session, userAgent } from "../../session.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { spec } from "./spec.ts";

export interface ProxyOptions {
  /** 0: any free port. */
  readonly port: number;
  readonly graceMs: number;
  readonly json: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, ProxyOptions> = {
  spec,
  options: ({ flags, globals }) => ({
    port: parseInteger("--port", flags.port ?? "0", { min: 0, max: 65_535, path: spec.path }),
    graceMs:
      1000 * parseInteger("--grace", flags.grace ?? "10", { min: 0, max: 3600, path: spec.path }),
    json: flags.json,
    globals,
  }),
};

/** Serves until it is interrupted. */
export const run = (options: ProxyOptions) =>
  proxy(options).pipe(
    Effect.mapError(explainCredentialError),
    Effect.catch((error) =>
      Effect.sync(() => {
        if (options.json) writeJson({ error: errorToJson(error) });
        return reportError("Error starting the proxy", error);
      }),
    ),
  );

const proxy = Effect.fnUntraced(function* (options: ProxyOptions) {
  const session = yield* openSession(options.globals);
  const provider = yield* sessionProvider(session);
  const isStored =
    provider.auth._tag === "SignedIn" &&
    overridingEnvVar(session.environment, { environmentCredentials: true }) === undefined;
  if (!isStored) {
    return yield* Effect.scoped(serve(options, session, unchanging)).pipe(
      Effect.provide(signerLayer(session, provider)),
    );
  }
  const stamp = yield* storedSignIn(session);
  const stampAtStart = yield* Effect.promise(async () => stamp());
  const context = yield* Effect.context();
  return yield* AuthManager.use(({ reload }) => {
    const isReloaded = Effect.match(reload, { onFailure: () => false, onSuccess: () => true });
    const followed = followSignIn({
      stamp,
      stampAtStart,
      reload: () => Effect.runPromiseWith(context)(isReloaded),
    });
    return Effect.scoped(serve(options, session, followed));
  }).pipe(
    Effect.provide(
      RequestSigner.layer(provider).pipe(Layer.provideMerge(managerLayer(session, "requests"))),
    ),
  );
});

/** A credential of the environment, or of the provider's own, is nobody's to change. */
const unchanging: FollowedSignIn = { changed: () => null };

const serve = Effect.fnUntraced(function* (
  options: ProxyOptions,
  session: Session,
  signIn: FollowedSignIn,
) {
  const signer = yield* signerForCallbacks;
  const signNew = () => Effect.runPromise(signer.sign());
  // Whoever cannot sign now should hear it now, not with the first request.
  yield* signer.sign();
  const dispatcher = yield* makeDispatcher(session.environment);
  const tools: ExchangeTools = {
    dispatcher: dispatcher.compose(authInterceptor({ signer, otherOrigins: "refuse" })),
    signed: () => signIn.changed()?.then(signNew) ?? signer.signNow() ?? signNew(),
    defaults: defaultHeaders(session.environment, { userAgent }),
    done: ({ request, ...outcome }) =>
      session.notify(
        accessLine({
          ...outcome,
          method: request.method ?? "",
          url: request.url ?? "",
          endedAtMs: Date.now(),
        }),
      ),
  };
  const port = yield* listen({ port: options.port, graceMs: options.graceMs, tools });
  const baseUrl = `http://127.0.0.1:${port}`;
  if (options.json) writeJson({ baseUrl, port });
  else writeAnswer(`${baseUrl}\n`);
  return yield* Effect.never;
});
