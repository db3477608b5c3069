import { request as httpRequest } from "node:http";
import { startTestAuthority } from "@agent-auth/test-authority";
import type { TestAuthority } from "@agent-auth/test-authority";
import { Agent, request } from "undici";
import { describe, expect, it } from "vitest";
import { refresh } from "./support/oauth.ts";

const jwksPath = "/api/codex/agent-identities/jwks";

/** Posts 3 MB piece by piece with node:http, and reads the response even if the body fails. */
const postSlowly = (authority: TestAuthority) =>
  new Promise<{ status: number; body: string; sent: number }>((resolve, reject) => {
    const piece = Buffer.alloc(64 * 1024);
    let sent = 0;
    const outgoing = httpRequest(`${authority.openaiBaseUrl}/responses`, {
      method: "POST",
      headers: { "content-length": 48 * piece.length },
    });
    outgoing.on("error", (error) => reject(error));
    outgoing.on("response", (incoming) => {
      const pieces: Array<Buffer> = [];
      incoming.on("data", (data: Buffer) => pieces.push(data));
      incoming.on("end", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          body: Buffer.concat(pieces).toString(),
          sent,
        }),
      );
    });
    // The first piece only: the response has to come while the body is still being sent.
    outgoing.write(piece);
    sent += piece.length;
  });

describe("behave, on the connection", () => {
  it("responds while the request's body is still being sent, then closes the connection", async () => {
    await using authority = await startTestAuthority();
    authority.behave("responses", { status: 401, body: { error: "no" }, early: true });
    expect(await postSlowly(authority)).toEqual({
      status: 401,
      body: '{"error":"no"}',
      sent: 64 * 1024,
    });
    expect(authority.requestsTo("responses")).toMatchObject([{ status: 401, body: "" }]);
  });

  it("resets a connection that served a request before, and serves a new one", async () => {
    await using authority = await startTestAuthority();
    const dispatcher = new Agent({ connections: 1 });
    const get = async () => {
      const { statusCode, body } = await request(`${authority.url}${jwksPath}`, { dispatcher });
      await body.dump();
      return statusCode;
    };
    authority.behave("jwks", "resetReused");
    expect(await get()).toBe(200);
    await expect(get()).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(await get()).toBe(200);
    authority.resetBehaviour();
    expect(await get()).toBe(200);
    await dispatcher.close();
  });

  it("counts only resets as uses of resetReused", async () => {
    await using authority = await startTestAuthority();
    const dispatcher = new Agent({ connections: 1 });
    const get = () =>
      request(`${authority.url}${jwksPath}`, { dispatcher }).then(async ({ body }) => body.dump());
    authority.behave("jwks", "resetReused", { times: 1 });
    await get();
    await expect(get()).rejects.toMatchObject({ code: "ECONNRESET" });
    await get();
    await get();
    await dispatcher.close();
    expect(authority.requestsTo("jwks").map(({ status }) => status)).toEqual([
      200,
      undefined,
      200,
      200,
    ]);
  });

  it("resets every open connection when asked to", async () => {
    await using authority = await startTestAuthority();
    const dispatcher = new Agent({ connections: 1 });
    const disconnected = new Promise<void>((resolve) =>
      dispatcher.once("disconnect", () => resolve()),
    );
    await request(`${authority.url}${jwksPath}`, { dispatcher }).then(({ body }) => body.dump());
    expect(authority.resetConnections()).toBe(1);
    await disconnected;
    await dispatcher.close();
  });

  it.each(["refresh", "codeExchange", "apiKeyExchange"] as const)(
    "cannot steer %s before the body that names the grant has arrived",
    async (endpoint) => {
      await using authority = await startTestAuthority();
      expect(() => authority.behave(endpoint, "resetReused")).toThrow("use the endpoint token");
      expect(() => authority.behave(endpoint, { status: 401, early: true })).toThrow(TypeError);
    },
  );
});

describe("behave, on the response", () => {
  it("adds a header larger than Node's limit of 16 KiB for clients", async () => {
    await using authority = await startTestAuthority();
    authority.behave("jwks", { headerBytes: 20_000 });
    const dispatcher = new Agent({ maxHeaderSize: 64 * 1024 });
    const { headers, body } = await request(`${authority.url}${jwksPath}`, { dispatcher });
    expect(headers["x-padding"]).toHaveLength(20_000);
    expect(await body.json()).toHaveProperty("keys");
    await dispatcher.close();
    await expect(fetch(`${authority.url}${jwksPath}`)).rejects.toMatchObject({
      cause: { code: "UND_ERR_HEADERS_OVERFLOW" },
    });
  });

  it("sends bytes as they are, such as a terminal's control sequences", async () => {
    await using authority = await startTestAuthority();
    const bytes = Uint8Array.of(0x1b, 0x5d, 0x30, 0x3b, 0x78, 0x07, 0x9d, 0x9c);
    authority.behave("jwks", { status: 200, body: bytes });
    const response = await fetch(`${authority.url}${jwksPath}`);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
  });

  it("spends the refresh token even if the response loses its access token", async () => {
    await using authority = await startTestAuthority();
    const { refreshToken } = await authority.mintChatgptTokens();
    authority.behave(
      "refresh",
      {
        change: (response) => ({ ...response, body: '{"token_type":"Bearer"}' }),
      },
      { times: 1 },
    );
    const first = await refresh(authority, refreshToken);
    expect(first.status).toBe(200);
    expect(await first.json()).toEqual({ token_type: "Bearer" });
    const second = await refresh(authority, refreshToken);
    expect([second.status, await second.json()]).toMatchObject([
      401,
      { error: { code: "refresh_token_reused" } },
    ]);
    expect(authority.count("refresh")).toBe(2);
  });

  it.each([
    ["object", { error: { code: "REFRESH_TOKEN_EXPIRED" } }],
    ["string", { error: "REFRESH_TOKEN_EXPIRED" }],
    ["code", { code: "REFRESH_TOKEN_EXPIRED" }],
  ] as const)("sends a refresh error's code in upper case, as %s", async (shape, body) => {
    await using authority = await startTestAuthority({
      settings: { tokenErrorCase: "upper", tokenErrorShape: shape },
    });
    const { refreshToken } = await authority.mintChatgptTokens({ refreshExpiresInSeconds: -1 });
    const response = await refresh(authority, refreshToken);
    expect([response.status, await response.json()]).toMatchObject([401, body]);
  });
});
