import assert from "node:assert/strict";
import { createModelProvider } from "@agent-auth/model-provider/promises";
import { type Authority, makeHome, question } from "../support.ts";

/** A WebSocket opens after a 401, carries a request and its events, and closes. */
export default async (authority: Authority): Promise<void> => {
  await using home = await makeHome(authority);
  const CODEX_AGENT_IDENTITY = await authority.call("mintAgentIdentityJwt");
  await using provider = await createModelProvider({
    environmentCredentials: true,
    variables: { ...home.variables, CODEX_AGENT_IDENTITY },
  });
  const before = await authority.call("count", "responsesSocket");
  await authority.call("behave", "responsesSocket", { status: 401 }, { times: 1 });
  const socket = await provider.webSocket("/responses");
  const types: Array<string> = [];
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  socket.addEventListener("message", ({ data }) => {
    const { type } = JSON.parse(String(data));
    types.push(type);
    if (type === "response.completed") socket.close();
  });
  socket.send(JSON.stringify({ type: "response.create", ...question }));
  await closed;
  assert.equal(types.at(-1), "response.completed");
  assert.ok(types.includes("response.output_text.delta"));
  assert.equal(await authority.call("count", "responsesSocket"), before + 2);
  await authority.call("behave", "responsesSocket", { status: 403 }, { times: 1 });
  await assert.rejects(provider.webSocket("/responses"), {
    code: "PROVIDER_WEBSOCKET_NOT_OPENED",
    status: 403,
  });
};
