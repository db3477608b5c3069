import { inspect } from "node:util";
import { ExpectedRequestMissing, startTestAuthority } from "@agent-auth/test-authority";
import { Agent, request } from "undici";
import { describe, expect, it } from "vitest";

const path = "/api/codex/agent-identities/jwks";

describe("behave", () => {
  it("sends a status with headers and body the given number of times, then responds as usual", async () => {
    await using authority = await startTestAuthority();
    const url = `${authority.url}${path}`;
    authority.behave(
      "jwks",
      { status: 503, headers: { "retry-after": "1" }, body: { error: "down" } },
      { times: 2 },
    );
    for (let round = 0; round < 2; round += 1) {
      const answer = await fetch(url);
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(await answer.json()).toEqual({ error: "down" });
    }
    expect((await fetch(url)).status).toBe(200);
    expect(authority.requestsTo("jwks").map((request) => request.status)).toEqual([503, 503, 200]);
  });

  it("applies several behaviours in the order of the calls", async () => {
    await using authority = await startTestAuthority();
    authority.behave("jwks", { status: 500 }, { times: 1 });
    authority.behave("jwks", { status: 429 }, { times: 1 });
    const statuses = [];
    for (let round = 0; round < 3; round += 1)
      statuses.push((await fetch(`${authority.url}${path}`)).status);
    expect(statuses).toEqual([500, 429, 200]);
  });

  it("responds with malformed JSON, with HTML, and with a body of a given size", async () => {
    await using authority = await startTestAuthority();
    const url = `${authority.url}${path}`;
    const undo = authority.behave("jwks", "malformedJson");
    await expect((await fetch(url)).json()).rejects.toThrow(SyntaxError);
    undo();
    authority.behave("jwks", "html", { times: 1 });
    expect((await fetch(url)).headers.get("content-type")).toContain("text/html");
    authority.behave("jwks", { oversizedBytes: 2_000_000 });
    expect((await (await fetch(url)).text()).length).toBe(2_000_000);
    authority.resetBehaviour("jwks");
    expect(await (await fetch(url)).json()).toHaveProperty("keys");
  });

  it("resets the connection, or cuts it in the middle of the body", async () => {
    await using authority = await startTestAuthority();
    const url = `${authority.url}${path}`;
    authority.behave("jwks", "reset", { times: 1 });
    await expect(fetch(url)).rejects.toMatchObject({ cause: { code: "ECONNRESET" } });
    authority.behave("jwks", "cut", { times: 1 });
    const answer = await fetch(url);
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow("terminated");
  });

  it("waits before it responds", async () => {
    await using authority = await startTestAuthority();
    const started = performance.now();
    authority.behave("jwks", { delayMs: 60 }, { times: 1 });
    expect((await fetch(`${authority.url}${path}`)).status).toBe(200);
    expect(performance.now() - started).toBeGreaterThanOrEqual(59);
  });

  it("does not respond while it hangs, until the authority closes", async () => {
    const authority = await startTestAuthority();
    authority.behave("jwks", "hang");
    const answer = fetch(`${authority.url}${path}`);
    await authority.waitForRequest("jwks");
    await authority.close();
    await expect(answer).rejects.toThrow("fetch failed");
  });

  it("throws for unknown endpoints and settings, which JavaScript could pass", async () => {
    await using authority = await startTestAuthority();
    // @ts-expect-error
    expect(() => authority.behave("jwkz", { status: 500 })).toThrow(TypeError);
    // @ts-expect-error
    expect(() => authority.expect("jwkz")).toThrow(TypeError);
    // @ts-expect-error
    expect(() => authority.count("jwkz")).toThrow(TypeError);
    // @ts-expect-error
    await expect(authority.waitForRequest("jwkz")).rejects.toThrow(TypeError);
    // @ts-expect-error
    expect(() => authority.configure({ replyTxt: "" })).toThrow("replyTxt");
  });

  it("sends the response that a function returns", async () => {
    await using authority = await startTestAuthority();
    authority.behave("jwks", {
      respond: (request) => ({ status: 200, body: `${request.method} ${request.path}` }),
    });
    expect(await (await fetch(`${authority.url}${path}`)).text()).toBe(`GET ${path}`);
  });
});

describe("requests", () => {
  it("contain every header and byte, and print neither", async () => {
    await using authority = await startTestAuthority();
    await fetch(`${authority.openaiBaseUrl}/responses?a=1`, {
      method: "POST",
      headers: { authorization: "Bearer sk-canary", "content-type": "application/json" },
      body: '{"model":"canary"}',
    });
    const [request] = authority.requestsTo("responses");
    expect(request).toMatchObject({ method: "POST", path: "/v1/responses", status: 401 });
    expect(request?.headers.authorization).toBe("Bearer sk-canary");
    expect(request?.json()).toEqual({ model: "canary" });
    expect(request?.query.get("a")).toBe("1");
    expect(inspect(authority.requests) + JSON.stringify(authority.requests)).not.toContain(
      "canary",
    );
  });

  it("are recorded without their content encoding", async () => {
    await using authority = await startTestAuthority();
    const { zstdCompressSync } = await import("node:zlib");
    await fetch(`${authority.openaiBaseUrl}/responses`, {
      method: "POST",
      headers: { "content-encoding": "zstd" },
      body: zstdCompressSync('{"model":"m"}'),
    });
    expect(authority.requests[0]?.body).toBe('{"model":"m"}');
  });

  it("can be waited for by number and condition", async () => {
    await using authority = await startTestAuthority();
    const second = authority.waitForRequest("jwks", {
      nth: 2,
      where: (request) => request.query.has("mine"),
    });
    for (const query of ["?mine=1", "", "?mine=2"]) await fetch(`${authority.url}${path}${query}`);
    expect((await second).query.get("mine")).toBe("2");
    await expect(authority.waitForRequest("whoami", { timeoutMs: 10 })).rejects.toBeInstanceOf(
      ExpectedRequestMissing,
    );
    authority.clearRequests();
    expect(authority.count("jwks")).toBe(0);
  });
});

const askOnceOfTwo = async () => {
  await using authority = await startTestAuthority();
  authority.expect("jwks", { times: 2 });
  await fetch(`${authority.url}${path}`);
};

describe("expect", () => {
  it("throws at disposal if an expected request did not arrive", async () => {
    await expect(askOnceOfTwo()).rejects.toMatchObject({
      code: "TEST_AUTHORITY_REQUEST_MISSING",
      endpoint: "jwks",
      expected: 2,
      received: 1,
      arrived: [`GET ${path} → 200`],
      message: `expected 2 request(s) to jwks, received 1; GET ${path} → 200`,
    });
  });

  it("is satisfied when the requests have arrived", async () => {
    await using authority = await startTestAuthority();
    authority.expect("jwks");
    expect(() => authority.verify()).toThrow("received 0; nothing arrived");
    await fetch(`${authority.url}${path}`);
    expect(() => authority.verify()).not.toThrow();
  });
});

describe("startTestAuthority", () => {
  it("has its own clock with a configurable offset", async () => {
    await using authority = await startTestAuthority({ now: () => 1000, clockOffsetMs: 500 });
    expect(authority.clock.nowMs()).toBe(1500);
    authority.clock.advance(20);
    expect(authority.clock.offsetMs()).toBe(520);
    authority.clock.setOffset(-1000);
    expect(authority.clock.nowMs()).toBe(0);
  });

  it("listens on loopback only", async () => {
    await using authority = await startTestAuthority({ host: "localhost" });
    expect(authority.url).toMatch(/^http:\/\/localhost:\d+$/);
    expect((await fetch(`${authority.url}${path}`)).status).toBe(200);
    await expect(startTestAuthority({ host: "0.0.0.0" })).rejects.toThrow(TypeError);
  });

  it("rejects with ListenFailed if the port is in use", async () => {
    await using first = await startTestAuthority();
    const port = Number(new URL(first.url).port);
    await expect(startTestAuthority({ port })).rejects.toMatchObject({
      code: "TEST_AUTHORITY_LISTEN_FAILED",
      reason: "EADDRINUSE",
    });
  });

  it("serves https with a certificate that clients reject until it is trusted", async () => {
    await using authority = await startTestAuthority({ tls: "self-signed" });
    expect(authority.url).toMatch(/^https:/);
    await expect(fetch(`${authority.url}${path}`)).rejects.toMatchObject({
      cause: { code: "DEPTH_ZERO_SELF_SIGNED_CERT" },
    });
    const dispatcher = new Agent({ connect: { ca: authority.certificate ?? "" } });
    const answer = await request(`${authority.url}${path}`, { dispatcher });
    expect(answer.statusCode).toBe(200);
    await answer.body.dump();
    await dispatcher.close();
  });

  it("can be closed twice", async () => {
    const authority = await startTestAuthority();
    await authority.close();
    await authority.close();
    await expect(fetch(authority.url)).rejects.toThrow("fetch failed");
  });
});
