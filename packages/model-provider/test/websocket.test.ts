import type { ModelProviderConfig } from "@agent-auth/login/config";
import { startTestAuthority } from "@agent-auth/test-authority";
import { WebSocket } from "undici";
import { describe, expect, it } from "vitest";
import { connectWebSocket, webSocketHeaders } from "../src/websocket/index.ts";
import { managerOf } from "./support/managers.ts";
import { apiKey } from "./support/credentials.ts";
import { providerAt } from "./support/providers.ts";
import { answer, startServer, startSocketServer } from "./support/server.ts";
import { signedIn, signIns } from "./support/sign-ins.ts";

const create = JSON.stringify({ type: "response.create", model: "gpt-5.2-codex", input: "hi" });

/** Sends one request and collects the types of the events up to the last. */
const converse = async (socket: InstanceType<typeof WebSocket>): Promise<ReadonlyArray<string>> => {
  const types: Array<string> = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.addEventListener("message", ({ data }) => {
    const event: unknown = JSON.parse(String(data));
    const type = typeof event === "object" && event !== null && "type" in event ? event.type : "";
    types.push(String(type));
    if (type === "response.completed") resolve();
    if (type === "error") reject(new Error(String(data)));
  });
  socket.addEventListener("close", () => reject(new Error("closed")));
  socket.send(create);
  await promise;
  return types;
};

const closed = (socket: InstanceType<typeof WebSocket>): Promise<void> =>
  new Promise((resolve) => {
    socket.addEventListener("close", () => resolve());
    socket.close();
  });

describe("connectWebSocket", () => {
  it.each(signIns)("opens a socket that the authority answers on, with $name", async (signIn) => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, signIn);
    const socket = await session.client.webSocket("/responses");
    expect((await converse(socket)).at(-1)).toBe("response.completed");
    expect(authority.requestsTo("responsesSocket")[0]?.headers).toMatchObject({
      originator: "codex_cli_rs",
    });
    await closed(socket);
  });

  const [, , , , agentJwt] = signIns;
  if (agentJwt === undefined) throw new Error("the list of sign-ins changed");

  it("recovers from a 401 on the upgrade", async () => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, agentJwt);
    await session.client.headers();
    authority.revokeTask();
    const socket = await session.client.webSocket("/responses");
    expect((await converse(socket)).at(-1)).toBe("response.completed");
    expect(authority.requestsTo("responsesSocket").map(({ status }) => status)).toEqual([401, 101]);
    await closed(socket);
  });

  it("rejects with the status of the response if the server does not open it", async () => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, agentJwt);
    authority.behave("responsesSocket", { status: 403 });
    await expect(session.client.webSocket("/responses")).rejects.toMatchObject({
      code: "PROVIDER_WEBSOCKET_NOT_OPENED",
      status: 403,
      origin: authority.url.replace("http", "ws"),
    });
  });

  it("rejects without a status if there is no response", async () => {
    await using server = await startServer((_request, response) => {
      response.destroy();
    });
    const { port } = server;
    const error: unknown = await connectWebSocket({
      provider: providerAt(`http://127.0.0.1:${port}`),
      manager: managerOf(apiKey()),
      url: "/x",
    }).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: "PROVIDER_WEBSOCKET_NOT_OPENED" });
    expect(error).not.toHaveProperty("status");
  });

  const protocols = [
    "realtime",
    "openai-insecure-api-key.unused",
    "OpenAI-Insecure-Api-Key.x",
    "v1",
  ];
  it.each<[string, Partial<ModelProviderConfig>, string | undefined]>([
    ["a signed-in credential", {}, "realtime, v1"],
    [
      "a configured header",
      { requiresOpenaiAuth: false, envHttpHeaders: { "api-key": "KEY" } },
      "realtime, v1",
    ],
    ["no credential", { requiresOpenaiAuth: false }, protocols.join(", ")],
  ])("with %s, sends the right subprotocols", async (_which, table, expected) => {
    await using server = await startServer((_request, response) => answer(response, 403));
    const options = {
      provider: providerAt(server.url, table, { KEY: "configured" }),
      manager: managerOf(apiKey()),
      url: "/x",
    };
    await connectWebSocket({ ...options, protocols }).catch(() => {});
    expect(server.seen[0]?.headers["sec-websocket-protocol"]).toBe(expected);
    const headers = { "Sec-WebSocket-Protocol": protocols.join(","), authorization: "Bearer x" };
    const upgrade = await webSocketHeaders({ ...options, headers });
    expect(upgrade.headers["sec-websocket-protocol"]?.replaceAll(", ", ",")).toBe(
      expected?.replaceAll(", ", ","),
    );
  });

  it("sends no subprotocol header if every subprotocol carries a key", async () => {
    await using server = await startServer((_request, response) => answer(response, 403));
    await connectWebSocket({
      provider: providerAt(server.url),
      manager: managerOf(apiKey()),
      url: "/x",
      protocols: ["openai-insecure-api-key.unused"],
    }).catch(() => {});
    expect(server.seen[0]?.headers).not.toHaveProperty("sec-websocket-protocol");
  });

  it("sends nothing to another origin, and nothing if no account is signed in", async () => {
    await using home = await startServer((_request, response) => answer(response, 200));
    await using other = await startServer((_request, response) => answer(response, 200));
    const provider = providerAt(home.url);
    const url = other.url.replace("http", "ws");
    await expect(
      connectWebSocket({ provider, manager: managerOf(apiKey()), url }),
    ).rejects.toMatchObject({ code: "PROVIDER_REQUEST_ORIGIN_NOT_ALLOWED" });
    await expect(
      connectWebSocket({ provider, manager: managerOf(null), url: "/x" }),
    ).rejects.toMatchObject({ code: "PROVIDER_SIGN_IN_REQUIRED" });
    expect([home.seen, other.seen]).toEqual([[], []]);
  });

  it("rejects with the signal's reason if it aborts", async () => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, agentJwt);
    await session.client.headers();
    authority.behave("responsesSocket", "hang");
    const controller = new AbortController();
    const opening = session.client.webSocket("/responses", { signal: controller.signal });
    await authority.waitForRequest("responsesSocket");
    controller.abort(new Error("enough"));
    await expect(opening).rejects.toThrow("enough");
  });

  it("closes its connection if the signal aborts", async () => {
    const hungUp = Promise.withResolvers<void>();
    const controller = new AbortController();
    await using server = await startSocketServer(async (socket) => {
      socket.on("close", () => hungUp.resolve());
      controller.abort(new Error("enough"));
    });
    const opening = connectWebSocket({
      provider: providerAt(server.url),
      manager: managerOf(apiKey()),
      url: "/x",
      signal: controller.signal,
    });
    await expect(opening).rejects.toThrow("enough");
    await hungUp.promise;
  });

  it("sends the caller's headers instead of the default ones", async () => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, agentJwt);
    const socket = await session.client.webSocket("/responses", {
      headers: { "User-Agent": "mine/1" },
    });
    await closed(socket);
    expect(authority.requestsTo("responsesSocket")[0]?.headers["user-agent"]).toBe("mine/1");
  });
});

describe("webSocketHeaders", () => {
  it.each(signIns)("is accepted from another WebSocket client, with $name", async (signIn) => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, signIn);
    const { url, headers } = await webSocketHeaders({
      signer: session.client.signer,
      url: "/responses",
      headers: { "OpenAI-Beta": "responses_websockets" },
    });
    expect(url).toMatch(
      /^ws:\/\/127\.0\.0\.1:\d+\/.*\/responses$|^ws:\/\/127\.0\.0\.1:\d+\/v1\/responses$/,
    );
    const socket = new WebSocket(url, { headers });
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    expect((await converse(socket)).at(-1)).toBe("response.completed");
    const [request] = authority.requestsTo("responsesSocket");
    expect(request?.headers["openai-beta"]).toBe("responses_websockets");
    await closed(socket);
  });

  it("accepts an absolute address of the provider's origin with any of the four schemes", async () => {
    const signIn = { provider: providerAt("https://x.example/v1"), manager: managerOf(apiKey()) };
    for (const scheme of ["wss", "https"]) {
      const { url } = await webSocketHeaders({ ...signIn, url: `${scheme}://x.example/v1/a` });
      expect(url).toBe("wss://x.example/v1/a");
    }
    await expect(webSocketHeaders({ ...signIn, url: "ws://x.example/v1/a" })).rejects.toMatchObject(
      { code: "PROVIDER_REQUEST_ORIGIN_NOT_ALLOWED" },
    );
  });
});
