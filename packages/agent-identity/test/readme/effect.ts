import { jwksUrl, taskApiBaseUrl } from "@agent-auth/agent-identity/urls";
import { layer as transportLayer } from "@agent-auth/agent-identity/http/undici";
import { layer as remoteJwks } from "@agent-auth/agent-identity/jwks/remote";
import { verifyAgentIdentityJwt } from "@agent-auth/agent-identity/jwt";
import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import { AgentTasks } from "@agent-auth/agent-identity/tasks";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";

/** Returns the headers of an authenticated request of the agent that the token identifies. */
const headersFor = Effect.fn("headersFor")(function* (jwt: string, chatgptBaseUrl: string) {
  const { record, key } = yield* verifyAgentIdentityJwt(jwt);
  const tasks = yield* AgentTasks;
  const api = yield* taskApiBaseUrl({ chatgptBaseUrl });
  const taskId = yield* tasks.task({ record, key, taskApiBaseUrl: api });
  const signer = makeAssertionSigner({ key, agentRuntimeId: record.agentRuntimeId, taskId });
  return {
    authorization: signer.authorizationAt(yield* Clock.currentTimeMillis),
    "chatgpt-account-id": record.accountId,
  };
});

const layerFor = (chatgptBaseUrl: string) =>
  Layer.unwrap(
    Effect.map(jwksUrl(chatgptBaseUrl), (url) =>
      Layer.merge(remoteJwks({ url }), AgentTasks.layer),
    ),
  ).pipe(Layer.provide(transportLayer({ originator: "codex_cli_rs", userAgent: "my-agent/1.0" })));

export const main = (jwt: string, chatgptBaseUrl: string) =>
  headersFor(jwt, chatgptBaseUrl).pipe(
    Effect.provide(layerFor(chatgptBaseUrl)),
    Effect.catchTag("JwtExpired", () => Effect.succeed("get a new token")),
    Effect.catch((error) => Effect.succeed(`${error.code}: ${error.message}. ${error.hint}`)),
  );
