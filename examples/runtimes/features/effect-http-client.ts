import assert from "node:assert/strict";
import { loadConfig } from "@agent-auth/login/config";
import { loadEnvironment } from "@agent-auth/login/config/environment";
import { layer as authManager } from "@agent-auth/login/manager";
import * as AuthenticatedHttp from "@agent-auth/model-provider/effect-http-client";
import { resolveProvider } from "@agent-auth/model-provider/provider";
import { RequestSigner } from "@agent-auth/model-provider/signing";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as HttpClient from "effect/http/HttpClient";
import { type Authority, makeHome } from "../support.ts";

/** Effect's HttpClient sends a signed request; a missing sign-in is found in its error. */
export default async (authority: Authority): Promise<void> => {
  await using home = await makeHome(authority);
  const CODEX_AGENT_IDENTITY = await authority.call("mintAgentIdentityJwt");
  const listModels = (variables: Readonly<Record<string, string>>) =>
    Effect.gen(function* () {
      const environment = loadEnvironment(variables);
      const config = yield* loadConfig(environment);
      const provider = yield* Effect.fromResult(resolveProvider({ config, environment }));
      const signer = RequestSigner.layer(provider).pipe(
        Layer.provide(authManager({ environment, config, environmentCredentials: true })),
      );
      const client = Layer.provide(AuthenticatedHttp.layer(), signer);
      const url = `${authority.chatgptBaseUrl}/codex/models`;
      return yield* HttpClient.get(url).pipe(
        Effect.flatMap((response) => Effect.map(response.json, () => response.status)),
        Effect.provide(client),
      );
    });
  const signedIn = { ...home.variables, CODEX_AGENT_IDENTITY };
  assert.equal(await Effect.runPromise(listModels(signedIn)), 200);
  const error = await Effect.runPromise(Effect.flip(listModels(home.variables)));
  assert.equal(error._tag, "HttpClientError");
  assert.equal(AuthenticatedHttp.signFailure(error)?.code, "PROVIDER_SIGN_IN_REQUIRED");
};
