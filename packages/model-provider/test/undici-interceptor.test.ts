import { Agent, Client, type Dispatcher, fetch, interceptors, MockAgent, WebSocket } from "undici";
import { describe, expect, it } from "vitest";
import { startTestAuthority } from "@agent-auth/test-authority";
import { authInterceptor, type AuthInterceptorOptions } from "../src/dispatcher/index.ts";
import { clientContract } from "./client.contract.ts";
import { agent, bearer, chatgpt } from "./support/credentials.ts";
import { interceptorClient } from "./support/clients.ts";
import { managerOf } from "./support/managers.ts";
import { providerAt } from "./support/providers.ts";
import { answer, startServer, startSocketServer } from "./support/server.ts";
import { signedIn, signIns } from "./support/sign-ins.ts";

clientContract("authInterceptor", interceptorClient);

const signIn = (
  url: string,
  more: Partial<AuthInterceptorOptions> = {},
): AuthInterceptorOptions => ({
  provider: providerAt(url),
  manager: managerOf(chatgpt("access-1")),
  ...more,
});

describe("authInterceptor: with undici's other functions", () => {
  it("authenticates undici's fetch, and headers in every form", async () => {
    await using server = await startServer((_request, response) => answer(response, 200, "hello"));
    const dispatcher = new Agent().compose(authInterceptor(signIn(server.url)));
    const response = await fetch(`${server.url}/a`, {
      dispatcher,
      headers: { authorization: "Bearer own", "x-a": "1" },
    });
    expect(await response.text()).toBe("hello");
    const forms: ReadonlyArray<Dispatcher.DispatchOptions["headers"]> = [
      ["x-a", "1"],
      Object.entries({ "x-a": "1" }).values(),
      new Map([["x-a", "1"]]),
      { "x-a": ["1"] },
    ];
    for (const headers of forms) {
      const request = { origin: server.url, path: "/a", method: "GET", headers: headers ?? null };
      const { body } = await dispatcher.request(request);
      await body.dump();
    }
    expect(server.seen).toHaveLength(5);
    for (const { headers } of server.seen)
      expect(headers).toMatchObject({ authorization: "Bearer access-1", "x-a": "1" });
    await dispatcher.close();
  });

  it("authenticates the requests of a Client, which has one origin", async () => {
    await using server = await startServer((_request, response) => answer(response, 200));
    const client = new Client(server.url).compose(authInterceptor(signIn(server.url)));
    const { statusCode, body } = await client.request({ path: "/a", method: "GET" });
    await body.dump();
    expect([statusCode, server.seen[0]?.headers.authorization]).toEqual([200, "Bearer access-1"]);
    await client.close();
  });

  it("signs redirected requests again, and only those to the provider's origin", async () => {
    await using home = await startServer((request, response) =>
      answer(response, 307, "", {
        location: request.url === "/a" ? "/b" : `${other.url}/c`,
      }),
    );
    await using other = await startServer((_request, response) => answer(response, 200));
    let nowMs = 0;
    const options = signIn(home.url, { manager: managerOf(agent()), now: () => (nowMs += 1000) });
    const dispatcher = new Agent().compose(
      authInterceptor(options),
      interceptors.redirect({ maxRedirections: 5 }),
    );
    const { statusCode, body } = await dispatcher.request({
      origin: home.url,
      path: "/a",
      method: "GET",
    });
    await body.dump();
    expect([statusCode, home.seen.length, other.seen.length]).toEqual([200, 2, 1]);
    expect(new Set(home.seen.map(({ headers }) => headers.authorization)).size).toBe(2);
    expect(other.seen[0]?.headers).not.toHaveProperty("authorization");
    expect(other.seen[0]?.headers).not.toHaveProperty("chatgpt-account-id");
    await dispatcher.close();
  });

  it("refuses CONNECT and TRACE in any spelling, to the provider's origin only", async () => {
    await using home = await startServer((_request, response) => answer(response, 200));
    await using other = await startServer((_request, response) => answer(response, 200));
    const dispatcher = new Agent().compose(authInterceptor(signIn(home.url)));
    const send = (origin: string, method: string) =>
      dispatcher.request({ origin, path: "/a", method });
    const code = "PROVIDER_METHOD_NOT_ALLOWED";
    for (const method of ["TRACE", "trace", "Track"])
      await expect(send(home.url, method)).rejects.toMatchObject({ code });
    await expect(dispatcher.connect({ origin: home.url, path: "/a" })).rejects.toMatchObject({
      code,
    });
    const { statusCode, body } = await send(other.url, "TRACE");
    await body.dump();
    expect([statusCode, home.seen.length]).toEqual([200, 0]);
    expect(other.seen[0]?.headers).not.toHaveProperty("authorization");
    await dispatcher.close();
  });

  it("keeps back-pressure and order of a 401 that was held", async () => {
    const long = Array.from({ length: 200 }, (_, line) => `${line}`.padEnd(1000, ".")).join("\n");
    await using server = await startServer((_request, response) => answer(response, 401, long));
    const slow = {
      ...managerOf(bearer("a")),
      recoverUnauthorized: () => new Promise<null>((resolve) => setImmediate(() => resolve(null))),
    };
    const dispatcher = new Agent().compose(authInterceptor(signIn(server.url, { manager: slow })));
    const { body } = await dispatcher.request({ origin: server.url, path: "/a", method: "GET" });
    const parts: Array<Buffer> = [];
    for await (const part of body) {
      parts.push(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(Buffer.concat(parts).toString()).toBe(long);
    await dispatcher.close();
  });

  it("delivers a 401 in full if the server closed the connection meanwhile", async () => {
    const hungUp = Promise.withResolvers<void>();
    await using server = await startServer((_request, response) => {
      response.on("close", () => setImmediate(() => setImmediate(hungUp.resolve)));
      answer(response, 401, "no", { connection: "close" });
    });
    const manager = {
      ...managerOf(bearer("a")),
      recoverUnauthorized: async () => {
        await hungUp.promise;
        return null;
      },
    };
    const dispatcher = new Agent().compose(authInterceptor(signIn(server.url, { manager })));
    const { statusCode, body } = await dispatcher.request({
      origin: server.url,
      path: "/a",
      method: "GET",
    });
    expect([statusCode, await body.text()]).toEqual([401, "no"]);
    await dispatcher.close();
  });

  it("delivers a 401 in full if its body arrives in pieces while it is held", async () => {
    const asked = Promise.withResolvers<void>();
    const sent = Promise.withResolvers<void>();
    await using server = await startSocketServer(async (socket) => {
      socket.write("HTTP/1.1 401 no\r\nconnection: close\r\n\r\none ");
      await asked.promise;
      for (const piece of ["two ", "three "]) {
        await new Promise((resolve) => socket.write(piece, resolve));
        await new Promise((resolve) => setImmediate(resolve));
      }
      socket.end("four", () => sent.resolve());
    });
    const manager = {
      ...managerOf(bearer("a")),
      recoverUnauthorized: async () => {
        asked.resolve();
        await sent.promise;
        return null;
      },
    };
    const dispatcher = new Agent().compose(authInterceptor(signIn(server.url, { manager })));
    const request = { origin: server.url, path: "/a", method: "GET" } as const;
    const { statusCode, body } = await dispatcher.request(request);
    expect([statusCode, await body.text()]).toEqual([401, "one two three four"]);
    await dispatcher.close();
  });

  it.each([
    ["delivered in full", managerOf(bearer("a")), 401, "first"],
    ["replaced by the next", managerOf(bearer("a"), bearer("b")), 200, "second"],
  ])(
    "holds a 401 of a dispatcher that cannot pause, until it is %s",
    async (_outcome, manager, status, text) => {
      const mock = new MockAgent();
      mock.disableNetConnect();
      const pool = mock.get("http://127.0.0.1:1");
      pool.intercept({ path: "/a" }).reply(401, "first");
      pool.intercept({ path: "/a" }).reply(200, "second");
      const options = signIn("http://127.0.0.1:1", { manager });
      const dispatcher = mock.compose(authInterceptor(options));
      const request = { origin: "http://127.0.0.1:1", path: "/a", method: "GET" } as const;
      const { statusCode, body } = await dispatcher.request(request);
      expect([statusCode, await body.text()]).toEqual([status, text]);
      await mock.close();
    },
  );

  it("authenticates a WebSocket's upgrade", async () => {
    await using authority = await startTestAuthority();
    const agentJwt = signIns.find(({ name }) => name === "an agent identity JWT");
    if (agentJwt === undefined) throw new Error("the list of sign-ins changed");
    await using session = await signedIn(authority, agentJwt);
    const dispatcher = new Agent().compose(authInterceptor({ signer: session.client.signer }));
    const url = `${(await session.client.baseUrl()).replace("http", "ws")}/responses`;
    const socket = new WebSocket(url, { dispatcher });
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    expect(authority.requestsTo("responsesSocket")[0]?.headers["authorization"]).toMatch(
      /^AgentAssertion /,
    );
    await new Promise<void>((resolve) => {
      socket.addEventListener("close", () => resolve());
      socket.close();
    });
    await dispatcher.close();
  });
});
