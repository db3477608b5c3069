import * as Redacted from "effect/Redacted";
import { Agent, type Dispatcher, interceptors } from "undici";
import { describe, expect, it } from "vitest";
import { authInterceptor } from "../src/dispatcher/index.ts";
import { createAuthenticatedFetch } from "../src/fetch/index.ts";
import { connectWebSocket } from "../src/websocket/index.ts";
import { chatgpt } from "./support/credentials.ts";
import { managerOf, switching } from "./support/managers.ts";
import { providerAt } from "./support/providers.ts";
import { answer, type Respond, startServer } from "./support/server.ts";

const secret = /access-1|configured|acc-1/;

/** A provider that redirects to another server, with a credential in `Authorization` and one in `api-key`. */
const startServers = async (status = 307) => {
  const other = await startServer((_request, response) => answer(response, 200, "other"));
  const home = await startServer((request, response) => {
    const location = request.url === "/within" ? "/a" : `${other.url}/b`;
    answer(response, request.url === "/a" ? 200 : status, "moved", { location });
  });
  const options = {
    provider: providerAt(home.url, { httpHeaders: { "api-key": Redacted.make("configured") } }),
    manager: managerOf(chatgpt("access-1")),
  };
  return {
    home,
    options,
    auth: authInterceptor(options),
    /** Whether anything secret reached the other server. */
    leaked: () => secret.test(JSON.stringify(other.seen.map(({ headers }) => headers))),
    reached: () => other.seen.length,
    [Symbol.asyncDispose]: async () => {
      await home[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    },
  };
};

type Compose = (agent: Agent, auth: Dispatcher.DispatcherComposeInterceptor) => Dispatcher;

const redirect = () => interceptors.redirect({ maxRedirections: 5 });
const retry = () => interceptors.retry({ minTimeout: 1, maxRetries: 1 });

const get = (origin: string, path: string) => ({ origin, path, method: "GET" }) as const;

describe("authInterceptor and a redirect to another origin", () => {
  const right: ReadonlyArray<readonly [string, Compose]> = [
    ["compose(auth, redirect)", (agent, auth) => agent.compose(auth, redirect())],
    ["compose(auth).compose(redirect)", (agent, auth) => agent.compose(auth).compose(redirect())],
    ["compose([auth, redirect])", (agent, auth) => agent.compose([auth, redirect()])],
    ["compose(retry, auth, redirect)", (agent, auth) => agent.compose(retry(), auth, redirect())],
    ["compose(auth, retry, redirect)", (agent, auth) => agent.compose(auth, retry(), redirect())],
    ["compose(auth, redirect, retry)", (agent, auth) => agent.compose(auth, redirect(), retry())],
    [
      "compose(cache, auth, redirect)",
      (agent, auth) => agent.compose(interceptors.cache(), auth, redirect()),
    ],
  ];
  it.each(right)("%s follows it without the credential", async (_order, compose) => {
    await using servers = await startServers();
    const agent = new Agent();
    const { statusCode, body } = await compose(agent, servers.auth).request(
      get(servers.home.url, "/start"),
    );
    await body.dump();
    expect([statusCode, servers.reached(), servers.leaked()]).toEqual([200, 1, false]);
    await agent.destroy();
  });

  const wrong: ReadonlyArray<readonly [string, Compose]> = [
    ["compose(redirect, auth)", (agent, auth) => agent.compose(redirect(), auth)],
    ["compose(redirect).compose(auth)", (agent, auth) => agent.compose(redirect()).compose(auth)],
    ["compose(redirect, retry, auth)", (agent, auth) => agent.compose(redirect(), retry(), auth)],
    ["compose(retry, redirect, auth)", (agent, auth) => agent.compose(retry(), redirect(), auth)],
    ["compose(redirect, auth, retry)", (agent, auth) => agent.compose(redirect(), auth, retry())],
    [
      "compose(redirect, cache, auth)",
      (agent, auth) => agent.compose(redirect(), interceptors.cache(), auth),
    ],
    [
      "compose(redirect, auth, redirect)",
      (agent, auth) => agent.compose(redirect(), auth, redirect()),
    ],
  ];
  it.each(wrong)("%s sends nothing to it and names the mistake", async (_order, compose) => {
    await using servers = await startServers();
    const agent = new Agent();
    const sending = compose(agent, servers.auth).request(get(servers.home.url, "/start"));
    await expect(sending).rejects.toMatchObject({
      code: "PROVIDER_INTERCEPTOR_ORDER_INVALID",
      expectedOrigin: servers.home.url,
      remedy: "fixInput",
    });
    expect([servers.reached(), servers.leaked()]).toEqual([0, false]);
    await agent.destroy();
  });

  it.each([301, 302, 303, 308])(
    "in the wrong order sends nothing, also with status %i",
    async (status) => {
      await using servers = await startServers(status);
      const agent = new Agent();
      const sending = agent
        .compose(redirect(), servers.auth)
        .request({ ...get(servers.home.url, "/start"), method: "POST", body: "prompt" });
      await expect(sending).rejects.toMatchObject({ code: "PROVIDER_INTERCEPTOR_ORDER_INVALID" });
      expect(servers.reached()).toBe(0);
      await agent.destroy();
    },
  );

  it("in the wrong order names the mistake for a redirect within the origin, too", async () => {
    await using servers = await startServers();
    const agent = new Agent();
    const dispatcher = agent.compose(redirect(), servers.auth);
    await expect(dispatcher.request(get(servers.home.url, "/within"))).rejects.toMatchObject({
      code: "PROVIDER_INTERCEPTOR_ORDER_INVALID",
    });
    expect(servers.home.seen.map(({ url }) => url)).toEqual(["/within"]);
    await agent.destroy();
  });
});

describe("a dispatcher that follows redirects, under the other clients", () => {
  it("does not follow them for an authenticated fetch", async () => {
    await using servers = await startServers();
    const agent = new Agent();
    const fetch = createAuthenticatedFetch({
      ...servers.options,
      dispatcher: agent.compose(redirect()),
    });
    const response = await fetch("/start");
    expect([await response.text(), servers.reached(), servers.leaked()]).toEqual([
      "other",
      1,
      false,
    ]);
    await agent.destroy();
  });

  it("opens no WebSocket elsewhere", async () => {
    await using servers = await startServers();
    const agent = new Agent();
    const opening = connectWebSocket({
      ...servers.options,
      dispatcher: agent.compose(redirect()),
      url: "/start",
    });
    await expect(opening).rejects.toMatchObject({ code: "PROVIDER_WEBSOCKET_NOT_OPENED" });
    expect([servers.reached(), servers.leaked()]).toEqual([0, false]);
    await agent.destroy();
  });
});

const cacheable: Respond = (request, response) =>
  answer(response, 200, String(request.headers["chatgpt-account-id"]), {
    "cache-control": request.url === "/public" ? "public, max-age=600" : "max-age=600",
    ...(request.url === "/expires" ? { expires: new Date(2 ** 42).toUTCString() } : {}),
  });

/** What two accounts are answered, one after the other. */
const askTwice = async (compose: Compose, path: string) => {
  const { manager, change } = switching(
    chatgpt("a", { accountId: "1" }),
    chatgpt("b", { accountId: "2" }),
  );
  await using server = await startServer(cacheable);
  const agent = new Agent();
  const auth = authInterceptor({ provider: providerAt(server.url), manager });
  const dispatcher = compose(agent, auth);
  const ask = async () => (await dispatcher.request(get(server.url, path))).body.text();
  const first = await ask();
  change();
  const both = [first, await ask()];
  await agent.destroy();
  return both;
};

const before: Compose = (agent, auth) => agent.compose(interceptors.cache(), auth);
const after: Compose = (agent, auth) => agent.compose(auth, interceptors.cache());

describe("authInterceptor and a cache", () => {
  it.each<[string, Compose, string]>([
    ["composed before it", before, "/a"],
    ["composed after it", after, "/a"],
    ["composed after it, with Expires", after, "/expires"],
  ])("%s keeps the responses of two accounts apart", async (_order, compose, path) => {
    expect(await askTwice(compose, path)).toEqual(["1", "2"]);
  });

  it("composed after it shares a response that the server calls public", async () => {
    expect(await askTwice(after, "/public")).toEqual(["1", "1"]);
  });

  it("composed after it stores responses to requests without a credential", async () => {
    await using server = await startServer(cacheable);
    const agent = new Agent();
    const provider = providerAt(server.url, { requiresOpenaiAuth: false });
    const dispatcher = agent.compose(authInterceptor({ provider }), interceptors.cache());
    for (let round = 0; round < 2; round++)
      await (await dispatcher.request(get(server.url, "/a"))).body.dump();
    expect(server.seen).toHaveLength(1);
    await agent.destroy();
  });
});
