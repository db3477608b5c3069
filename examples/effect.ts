import { layer as authManager } from "@agent-auth/login/manager";
import { loadConfig } from "@agent-auth/login/config";
import { loadEnvironment } from "@agent-auth/login/config/environment";
import * as AuthenticatedHttp from "@agent-auth/model-provider/effect-http-client";
import { resolveProvider } from "@agent-auth/model-provider/provider";
import { RequestSigner } from "@agent-auth/model-provider/signing";
import * as Console from "effect/Console";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as HttpClient from "effect/http/HttpClient";

const environment = loadEnvironment(process.env);

const models = Effect.gen(function* () {
  const signer = yield* RequestSigner;
  const { target } = yield* signer.sign();
  const response = yield* HttpClient.get(`${target.baseUrl}/models`);
  yield* Console.log(response.status, yield* response.json);
});

const program = Effect.gen(function* () {
  const config = yield* loadConfig(environment);
  const provider = yield* Effect.fromResult(resolveProvider({ config, environment }));
  const signer = RequestSigner.layer(provider).pipe(
    Layer.provide(authManager({ environment, config, environmentCredentials: true })),
  );
  yield* models.pipe(Effect.provide(AuthenticatedHttp.layer().pipe(Layer.provideMerge(signer))));
});

await Effect.runPromise(
  Effect.catch(program, (error) =>
    Effect.sync(() => {
      console.error(error.message);
      process.exitCode = 1;
    }),
  ),
);
