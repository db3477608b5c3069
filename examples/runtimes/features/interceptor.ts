import assert from "node:assert/strict";
import { importUndici } from "@agent-auth/agent-identity/http/undici";
import { authInterceptor } from "@agent-auth/model-provider/dispatcher";
import { createModelProvider } from "@agent-auth/model-provider/promises";
import { type Authority, makeHome } from "../support.ts";

/** The interceptor signs requests of undici's `request` and `fetch`, and repeats one after a 401. */
export default async (authority: Authority): Promise<void> => {
  await using home = await makeHome(authority);
  const CODEX_AGENT_IDENTITY = await authority.call("mintAgentIdentityJwt");
  await using provider = await createModelProvider({
    environmentCredentials: true,
    variables: { ...home.variables, CODEX_AGENT_IDENTITY },
  });
  const undici = await importUndici();
  const agent = new undici.Agent().compose(authInterceptor({ signer: provider.signer }));
  const { origin, pathname } = new URL(`${await provider.baseUrl()}/models`);
  const before = await authority.call("count", "models");
  await authority.call("behave", "models", { status: 401 }, { times: 1 });
  const { statusCode, body } = await agent.request({ origin, path: pathname, method: "GET" });
  assert.equal(statusCode, 200);
  assert.ok(await body.json());
  assert.equal(await authority.call("count", "models"), before + 2);
  const response = await undici.fetch(`${origin}${pathname}`, { dispatcher: agent });
  assert.equal(response.status, 200);
  assert.ok(await response.json());
  await agent.close();
};
