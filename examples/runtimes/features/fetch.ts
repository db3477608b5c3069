import assert from "node:assert/strict";
import { createModelProvider } from "@agent-auth/model-provider/promises";
import { type Authority, makeHome, post, question } from "../support.ts";

/** An agent signs its requests, and one more after a 401. Bodies stream in both directions, forms are sent. */
export default async (authority: Authority): Promise<void> => {
  await using home = await makeHome(authority);
  const CODEX_AGENT_IDENTITY = await authority.call("mintAgentIdentityJwt");
  await using provider = await createModelProvider({
    environmentCredentials: true,
    variables: { ...home.variables, CODEX_AGENT_IDENTITY },
  });
  const before = await authority.call("count", "responses");
  await authority.call("behave", "responses", { status: 401 }, { times: 1 });
  const response = await provider.fetch("/responses", post(question));
  assert.equal(response.status, 200);
  assert.match(await response.text(), /"status":"completed"/);
  assert.equal(await authority.call("count", "responses"), before + 2);

  const streamed = await provider.fetch("/responses", post({ ...question, stream: true }));
  assert.ok(streamed.body);
  const chunks: Array<Uint8Array> = [];
  for await (const chunk of streamed.body) chunks.push(chunk);
  assert.match(Buffer.concat(chunks).toString(), /event: response.completed/);

  const body = new Blob(["a".repeat(100_000)]).stream();
  const echo = await provider.fetch("/echo", { method: "POST", body, duplex: "half" });
  assert.equal((await echo.text()).length, 100_000);

  const form = new FormData();
  form.append("name", "value");
  form.append("file", new Blob(["content"]), "a.txt");
  const sent = await (await provider.fetch("/echo", { method: "POST", body: form })).text();
  assert.match(sent, /name="name"\r\n\r\nvalue\r\n/);
  assert.match(sent, /filename="a.txt"[^]*content\r\n/);

  const aborted = provider.fetch("/responses", { signal: AbortSignal.abort(new Error("enough")) });
  await assert.rejects(aborted, /enough/);
  const failed = provider.fetch("https://other.example/", { method: "TRACE" });
  await assert.rejects(failed, { name: "TypeError" });
};
