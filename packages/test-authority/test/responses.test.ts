import OpenAI from "openai";
import { startTestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { assertionHeaders, errorOf, post, registerTask } from "./support/agent.ts";

const ask = { model: "gpt-5.2", input: "hello", stream: true };

describe("POST /responses", () => {
  it("streams a reply to a valid assertion", async () => {
    await using authority = await startTestAuthority();
    const agent = await authority.mintAgentIdentity();
    const taskId = await registerTask(authority, agent);
    const headers = assertionHeaders(agent, taskId, authority.clock.nowMs());
    const answer = await post(`${authority.chatgptBaseUrl}/codex/responses`, ask, headers);
    expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const names = (await answer.text()).match(/^event: .*$/gm) ?? [];
    expect(names.at(0)).toBe("event: response.created");
    expect(names).toContain("event: response.output_text.delta");
    expect(names.at(-1)).toBe("event: response.completed");
  });

  it("rejects an assertion with the wrong task, key, time or account, or without account", async () => {
    await using authority = await startTestAuthority();
    const agent = await authority.mintAgentIdentity();
    const other = await authority.mintAgentIdentity();
    const stranger = await authority.mintAgentIdentity({ known: false });
    const taskId = await registerTask(authority, agent);
    const now = authority.clock.nowMs();
    const right = assertionHeaders(agent, taskId, now);
    const forged = { ...agent, privateKey: other.privateKey };
    const cases: ReadonlyArray<[string, Record<string, string>]> = [
      ["unknown_task", assertionHeaders(agent, "task_other", now)],
      ["unknown_task", assertionHeaders(other, taskId, now)],
      ["bad_signature", assertionHeaders(forged, taskId, now)],
      ["unknown_agent", assertionHeaders(stranger, taskId, now)],
      ["stale_timestamp", assertionHeaders(agent, taskId, now - 301_000)],
      ["wrong_account_id", { ...right, "chatgpt-account-id": "acct-other" }],
      ["missing_account_id", { authorization: right["authorization"] ?? "" }],
      ["malformed_assertion", { ...right, authorization: "AgentAssertion e30" }],
      ["malformed_authorization", { ...right, authorization: "AgentAssertion" }],
      ["unknown_scheme", { ...right, authorization: "Basic eDp5" }],
      ["missing_authorization", {}],
    ];
    for (const [code, headers] of cases) {
      const answer = await post(`${authority.url}/api/codex/responses`, ask, headers);
      expect([answer.status, (await errorOf(answer)).code]).toEqual([401, code]);
    }
    authority.revokeTask(taskId);
    const late = await post(`${authority.url}/api/codex/responses`, ask, right);
    expect((await errorOf(late)).code).toBe("unknown_task");
  });

  it("requires the FedRAMP header for a FedRAMP account", async () => {
    await using authority = await startTestAuthority({ account: { isFedrampAccount: true } });
    const headers = {
      authorization: `Bearer ${authority.mintPersonalAccessToken()}`,
      "chatgpt-account-id": authority.account.accountId,
    };
    const without = await post(`${authority.chatgptBaseUrl}/codex/responses`, ask, headers);
    expect((await errorOf(without)).code).toBe("missing_fedramp");
    const fedramp = { ...headers, "x-openai-fedramp": "true" };
    const answer = await post(`${authority.chatgptBaseUrl}/codex/responses`, ask, fedramp);
    expect(answer.status).toBe(200);
  });

  it("accepts a known API key without account id until it is revoked or expired", async () => {
    await using authority = await startTestAuthority();
    const url = `${authority.openaiBaseUrl}/responses`;
    const key = authority.addApiKey();
    const short = authority.addApiKey({ expiresInSeconds: 60 });
    const withKey = (token: string) => post(url, ask, { authorization: `Bearer ${token}` });
    expect((await withKey(key)).status).toBe(200);
    expect((await errorOf(await withKey("sk-made-up"))).code).toBe("invalid_api_key");
    authority.clock.advance(60_000);
    expect((await errorOf(await withKey(short))).code).toBe("token_expired");
    expect(authority.revokeAccessToken(key)).toBe(true);
    expect((await errorOf(await withKey(key))).code).toBe("token_revoked");
  });

  it("serves the openai SDK, streaming and not", async () => {
    await using authority = await startTestAuthority({
      settings: { replyText: "Good day to you." },
    });
    const client = new OpenAI({
      apiKey: authority.addApiKey(),
      baseURL: authority.openaiBaseUrl,
      maxRetries: 0,
    });
    const whole = await client.responses.create({ model: "gpt-5.2", input: "hello" });
    expect(whole.output_text).toBe("Good day to you.");
    let text = "";
    for await (const event of await client.responses.create({ ...ask, stream: true }))
      if (event.type === "response.output_text.delta") text += event.delta;
    expect(text).toBe("Good day to you.");
    const models = await client.models.list();
    expect(models.data.map((model) => model.id)).toContain("gpt-5.2");
  });

  it("reports what is wrong with a body", async () => {
    await using authority = await startTestAuthority();
    const headers = { authorization: `Bearer ${authority.addApiKey()}` };
    const url = `${authority.openaiBaseUrl}/responses`;
    expect(await errorOf(await post(url, { input: "x" }, headers))).toMatchObject({
      code: "invalid_body",
      message: expect.stringContaining("model"),
    });
    const cut = await fetch(url, { method: "POST", headers, body: "{" });
    expect((await errorOf(cut)).code).toBe("invalid_json");
  });

  it("echoes an uploaded body, or counts its bytes", async () => {
    await using authority = await startTestAuthority();
    const headers = { authorization: `Bearer ${authority.addApiKey()}` };
    const body = "x".repeat(300_000);
    const echo = await fetch(`${authority.openaiBaseUrl}/echo`, { method: "POST", headers, body });
    expect(await echo.text()).toBe(body);
    const sink = await fetch(`${authority.openaiBaseUrl}/sink`, { method: "POST", headers, body });
    expect(await sink.json()).toEqual({ bytes: 300_000 });
    const refused = await fetch(`${authority.openaiBaseUrl}/echo`, { method: "POST", body });
    expect((await errorOf(refused)).code).toBe("missing_authorization");
  });
});

describe("an unknown path", () => {
  it("gets 404, and a wrong method 405", async () => {
    await using authority = await startTestAuthority();
    const nowhere = await fetch(`${authority.url}/nowhere`);
    expect([nowhere.status, (await errorOf(nowhere)).code]).toEqual([404, "unknown_endpoint"]);
    const wrong = await fetch(`${authority.openaiBaseUrl}/responses`);
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"]);
    expect(authority.count("unknown")).toBe(2);
  });
});
