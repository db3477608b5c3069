import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { request, WebSocket } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliHome } from "./support/cli.ts";
import { RunningProxy } from "./support/proxy.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority();
});
afterAll(() => authority.close());

const body = '{"model":"gpt-5","input":"Say hello.","stream":true}';
const json = { "content-type": "application/json" };

/** A home whose environment holds an agent identity, and a proxy in it. */
const start = async (args: readonly string[] = []) => {
  const home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
  const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
  const proxy = await RunningProxy.start(home, args, env);
  return {
    proxy,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
};

/** A raw request, whose Host header undici and fetch would not let through. */
const raw = (port: number, path: string, headers: Readonly<Record<string, string>>) =>
  new Promise<number | undefined>((resolve, reject) => {
    const sent = httpRequest({ port, host: "127.0.0.1", path, headers, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.on("error", reject);
    sent.end();
  });

describe("proxy", () => {
  it("turns an unchanged client into the signed-in agent, with or without /v1", async () => {
    await using running = await start();
    for (const path of ["/responses", "/v1/responses"]) {
      const answer = await request(running.proxy.baseUrl + path, {
        method: "POST",
        headers: { ...json, authorization: "Bearer unused" },
        body,
      });
      expect(answer.statusCode).toBe(200);
      expect(answer.headers["content-type"]).toContain("text/event-stream");
      expect(await answer.body.text()).toContain("response.completed");
      const sent = authority.requestsTo("responses").at(-1);
      expect(sent?.path).toBe("/backend-api/codex/responses");
      expect(sent?.headers.authorization).toMatch(/^AgentAssertion /u);
      expect(sent?.headers["chatgpt-account-id"]).toBe(authority.account.accountId);
      expect(sent?.body).toBe(body);
    }
  });

  it("streams both ways: an answer's first bytes come while the request is still being sent", async () => {
    await using running = await start();
    const { hostname, port } = new URL(running.proxy.baseUrl);
    const sent = httpRequest({ hostname, port, path: "/echo", method: "POST" });
    sent.write("first");
    const answer = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
      sent.once("response", resolve);
      sent.once("error", reject);
    });
    const first = await new Promise((resolve) => answer.once("data", resolve));
    expect(String(first)).toBe("first");
    sent.end("second");
    const second = await new Promise((resolve) => answer.once("data", resolve));
    expect(String(second)).toBe("second");
  });

  it("recovers the credential after a 401 and sends the request again", async () => {
    await using running = await start();
    authority.revokeTask();
    const answer = await request(`${running.proxy.baseUrl}/responses`, {
      method: "POST",
      headers: json,
      body,
    });
    expect(answer.statusCode).toBe(200);
    await answer.body.dump();
  });

  it("passes WebSocket upgrades", async () => {
    await using running = await start();
    const socket = new WebSocket(`ws://127.0.0.1:${running.proxy.port}/responses`);
    const first = await new Promise((resolve, reject) => {
      socket.addEventListener("open", () =>
        socket.send(JSON.stringify({ type: "response.create", model: "gpt-5", input: "Hi." })),
      );
      socket.addEventListener("message", (event) => resolve(event.data));
      socket.addEventListener("error", () => reject(new Error("not opened")));
    });
    expect(JSON.parse(String(first))).toMatchObject({
      type: expect.stringMatching(/^response\./u),
    });
    socket.close();
    await running.proxy.logged(/GET \/responses 101/u);
  });

  it("answers a refused upgrade with the provider's status", async () => {
    await using running = await start();
    const status = await raw(running.proxy.port, "/nowhere", {
      host: `127.0.0.1:${running.proxy.port}`,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      "sec-websocket-version": "13",
    });
    expect(status).toBe(404);
  });

  it.each([
    ["a foreign Host", { host: "evil.example" }, 421],
    ["a Host with another port", { host: "127.0.0.1:1" }, 421],
    ["a foreign Origin", { origin: "https://evil.example" }, 403],
    ["an opaque Origin", { origin: "null" }, 403],
    ["a request across sites", { "sec-fetch-site": "cross-site" }, 403],
  ])("refuses %s and sends nothing", async (_, headers, status) => {
    await using running = await start();
    const before = authority.requests.length;
    const host = `127.0.0.1:${running.proxy.port}`;
    expect(await raw(running.proxy.port, "/models", { host, ...headers })).toBe(status);
    expect(authority.requests).toHaveLength(before);
  });

  it("refuses the absolute form and paths that climb out of the base URL", async () => {
    await using running = await start();
    const before = authority.requests.length;
    const host = `localhost:${running.proxy.port}`;
    expect(await raw(running.proxy.port, "http://evil.example/models", { host })).toBe(400);
    expect(await raw(running.proxy.port, "/../../secret", { host })).toBe(400);
    expect(await raw(running.proxy.port, "/%2e%2e/%2e%2e/secret", { host })).toBe(400);
    expect(authority.requests).toHaveLength(before);
  });

  it("keeps an access log without queries and secrets", async () => {
    await using running = await start();
    const answer = await request(`${running.proxy.baseUrl}/models?key=canary-secret`);
    await answer.body.dump();
    const line = await running.proxy.logged(/GET/u);
    expect(line).toMatch(/^\d{4}-\S+Z GET \/models 200 \d+B \d+ms$/u);
    expect(running.proxy.log.join("\n")).not.toMatch(/canary|AgentAssertion|Bearer/u);
  });

  it("answers 502 with what to do if the provider gives no answer", async () => {
    await using running = await start();
    const release = authority.behave("models", "reset");
    const answer = await request(`${running.proxy.baseUrl}/models`);
    release();
    expect(answer.statusCode).toBe(502);
    const text = await answer.body.text();
    expect(JSON.parse(text)).toMatchObject({
      error: { type: "agent_auth_proxy_error", code: "CLI_REQUEST_FAILED" },
    });
    const line = await running.proxy.logged(/GET \/models 502/u);
    expect(line).toContain(` 502 ${Buffer.byteLength(text)}B `);
  });

  it("logs the size of its error responses", async () => {
    await using running = await start();
    const answer = await request(`${running.proxy.baseUrl}/models`, {
      headers: { origin: "https://evil.example" },
    });
    const text = await answer.body.text();
    const line = await running.proxy.logged(/GET \/models 403/u);
    expect(line).toContain(` 403 ${Buffer.byteLength(text)}B `);
    expect(text.length).toBeGreaterThan(0);
  });

  it("cuts the client's connection if the provider's breaks in mid-answer", async () => {
    await using running = await start();
    authority.behave("responses", "cut", { times: 1 });
    const answer = await request(`${running.proxy.baseUrl}/responses`, {
      method: "POST",
      headers: json,
      body,
    });
    await expect(answer.body.text()).rejects.toThrow(/terminated|closed|aborted/u);
  });

  it("closes the provider's connection when the client disconnects", async () => {
    await using running = await start();
    authority.behave("responses", "hang", { times: 1 });
    const seen = authority.count("responses");
    const client = connect(running.proxy.port, "127.0.0.1");
    client.write(
      `POST /responses HTTP/1.1\r\nHost: 127.0.0.1:${running.proxy.port}\r\nContent-Length: 2\r\n\r\n{}`,
    );
    await authority.waitForRequest("responses", { nth: seen + 1 });
    client.destroy();
    expect(await running.proxy.logged(/POST \/responses/u)).toContain(" aborted ");
  });

  it("finishes requests under way when it is stopped, then ends with 0", async () => {
    await using running = await start();
    authority.behave("models", { delayMs: 300 }, { times: 1 });
    const seen = authority.count("models");
    const answer = request(`${running.proxy.baseUrl}/models`);
    await authority.waitForRequest("models", { nth: seen + 1 });
    const exitCode = running.proxy.stop("SIGTERM");
    const { statusCode, body: models } = await answer;
    await models.dump();
    expect([statusCode, await exitCode]).toEqual([200, 0]);
  });

  it("closes requests that do not finish within the grace period", async () => {
    await using running = await start(["--grace", "0"]);
    authority.behave("models", "hang", { times: 1 });
    const seen = authority.count("models");
    const answer = request(`${running.proxy.baseUrl}/models`).catch((error: unknown) => error);
    await authority.waitForRequest("models", { nth: seen + 1 });
    expect(await running.proxy.stop()).toBe(0);
    expect(await answer).toBeInstanceOf(Error);
  });

  it("does not start when signed out", async () => {
    await using home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
    const result = await home.run(["proxy"]);
    expect(result.stderr).toContain("Run: agent-auth login");
    expect([result.exitCode, result.stdout]).toEqual([4, ""]);
  });

  it("names a port that is taken", async () => {
    await using running = await start();
    await using home = await CliHome.make(`openai_base_url = "${authority.openaiBaseUrl}"\n`);
    const result = await home.run(["proxy", "-p", String(running.proxy.port)], {
      env: { CODEX_API_KEY: "sk-x" },
    });
    expect(result.stderr).toContain("(EADDRINUSE). Choose another port with --port");
    expect(result.exitCode).toBe(1);
  });
});
