import { Agent, type Dispatcher, interceptors } from "undici";
import * as Redacted from "effect/Redacted";
import { describe, expect, it } from "vitest";
import { authInterceptor, type AuthInterceptorOptions } from "../src/undici-interceptor.ts";
import { bearer, chatgpt } from "./support/credentials.ts";
import { managerOf, switching } from "./support/managers.ts";
import { providerAt } from "./support/providers.ts";
import { answer, type Respond, startServer } from "./support/server.ts";

/** An agent that is signed in to a server, with the interceptors that wrap it. */
const agentFor = (
  options: AuthInterceptorOptions,
  ...outer: ReadonlyArray<Dispatcher.DispatcherComposeInterceptor>
) => {
  const agent = new Agent();
  return {
    dispatcher: agent.compose(authInterceptor(options), ...outer),
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
};

const get = (origin: string) => ({ origin, path: "/a", method: "GET" }) as const;

/** Gives up after a turn of the event loop, when the 401 is held back already. */
const givingUp = {
  ...managerOf(bearer("a")),
  recoverUnauthorized: () => new Promise<null>((resolve) => setImmediate(() => resolve(null))),
};

const always =
  (status: number, body = "no"): Respond =>
  (_request, response) =>
    answer(response, status, body, { "content-length": String(body.length) });

const mended: Respond = (request, response, count) =>
  answer(response, count === 1 ? 401 : 200, request.body);

describe("authInterceptor: a handler that throws at a 401 which was held back", () => {
  it("fails its own request: stream's factory", async () => {
    await using server = await startServer(always(401));
    await using one = agentFor({ provider: providerAt(server.url), manager: givingUp });
    await expect(
      one.dispatcher.stream(get(server.url), ({ statusCode }) => {
        throw new RangeError(`got ${statusCode}`);
      }),
    ).rejects.toThrow("got 401");
  });

  it("fails its own request: the dump interceptor, which puts itself between us and the abort", async () => {
    await using server = await startServer(always(401, "x".repeat(5_000)));
    const options = { provider: providerAt(server.url), manager: givingUp };
    await using one = agentFor(options, interceptors.dump({ maxSize: 10 }));
    await expect(one.dispatcher.request(get(server.url))).rejects.toThrow("larger than maxSize");
  });

  it("fails its own request where the answer is all here", async () => {
    await using server = await startServer(always(401, ""));
    await using one = agentFor({ provider: providerAt(server.url), manager: givingUp });
    await expect(
      one.dispatcher.stream({ ...get(server.url), method: "HEAD" }, () => {
        throw new RangeError("no room");
      }),
    ).rejects.toThrow("no room");
  });

  it("gets nothing more of it while it pauses", async () => {
    await using server = await startServer(always(401, "whole"));
    await using one = agentFor({ provider: providerAt(server.url), manager: givingUp });
    const events: Array<string> = [];
    const paused = Promise.withResolvers<Dispatcher.DispatchController>();
    const ended = Promise.withResolvers<void>();
    one.dispatcher.dispatch(get(server.url), {
      onRequestStart: () => {},
      onResponseStart: (controller) => {
        controller.pause();
        paused.resolve(controller);
      },
      onResponseData: (_controller, chunk) => void events.push(chunk.toString()),
      onResponseEnd: () => ended.resolve(),
      onResponseError: (_controller, error) => ended.reject(error),
    });
    const controller = await paused.promise;
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect([events, controller.paused]).toEqual([[], true]);
    controller.resume();
    await ended.promise;
    expect(events).toEqual(["whole"]);
  });
});

describe("authInterceptor: what undici takes", () => {
  it.each([
    ["an ArrayBuffer", new TextEncoder().encode("prompt").buffer],
    ["a Blob", new Blob(["prompt"])],
  ])("sends %s again after a 401", async (_kind, body) => {
    await using server = await startServer(mended);
    const manager = managerOf(bearer("old"), bearer("new"));
    await using one = agentFor({ provider: providerAt(server.url), manager });
    const more: object = { body }; // undici takes it; its types do not say so.
    const request = { ...get(server.url), method: "POST", ...more } as const;
    const { statusCode } = await one.dispatcher.request(request);
    expect([statusCode, server.seen.map((seen) => seen.body)]).toEqual([200, ["prompt", "prompt"]]);
  });

  it("keeps the headers of an iterator for the repetition", async () => {
    await using server = await startServer(mended);
    const manager = managerOf(bearer("old"), bearer("new"));
    await using one = agentFor({ provider: providerAt(server.url), manager });
    const headers = Object.entries({ "x-own": "1" }).values();
    await one.dispatcher.request({ ...get(server.url), headers });
    expect(server.seen.map((seen) => seen.headers["x-own"])).toEqual(["1", "1"]);
  });

  it("adds query_params beside those of the caller's `query`, which win", async () => {
    await using server = await startServer(always(200));
    const queryParams = { v: Redacted.make("7"), x: Redacted.make("provider") };
    const provider = providerAt(server.url, { queryParams });
    await using one = agentFor({ provider, manager: managerOf(bearer("a")) });
    await one.dispatcher.request({ ...get(server.url), query: { x: "caller", a: 1 } });
    const url = new URL(server.seen[0]?.url ?? "", server.url);
    expect(Object.fromEntries(url.searchParams)).toEqual({ v: "7", x: "caller", a: "1" });
  });

  it("leaves the path as it is", async () => {
    await using server = await startServer(always(200));
    const provider = providerAt(server.url, { queryParams: { v: Redacted.make("7") } });
    await using one = agentFor({ provider, manager: managerOf(bearer("a")) });
    await one.dispatcher.request({ ...get(server.url), path: "/a/../b?c=%20" });
    expect(server.seen.map((seen) => seen.url)).toEqual(["/a/../b?c=%20&v=7"]);
  });

  it("signs no request whose path names another server, which one that forwards would go by", async () => {
    await using server = await startServer(always(200));
    const options = { provider: providerAt(server.url), manager: managerOf(bearer("a")) };
    await using one = agentFor(options);
    await using strict = agentFor({ ...options, otherOrigins: "refuse" });
    const request = { ...get(server.url), path: "http://evil.example/a" };
    await one.dispatcher.request(request);
    await one.dispatcher.request({ ...request, path: `${server.url}/a` });
    expect(server.seen.map((seen) => seen.headers.authorization)).toEqual([undefined, "Bearer a"]);
    await expect(strict.dispatcher.request(request)).rejects.toMatchObject({
      code: "PROVIDER_OUTSIDE_PROVIDER",
      origin: "http://evil.example",
    });
  });

  it("refuses the fetch of another undici, instead of waiting for ever", async () => {
    await using server = await startServer(always(200));
    await using one = agentFor({ provider: providerAt(server.url), manager: givingUp });
    const init: object = { dispatcher: one.dispatcher };
    await expect(globalThis.fetch(server.url, init)).rejects.toMatchObject({
      cause: { message: expect.stringContaining("another undici") },
    });
    expect(server.seen).toEqual([]);
  });

  it("hands the answers of one account to no other out of a cache beneath it", async () => {
    const { manager, change } = switching(
      chatgpt("a", { accountId: "1" }),
      chatgpt("b", { accountId: "2" }),
    );
    await using server = await startServer((request, response) =>
      answer(response, 200, String(request.headers["chatgpt-account-id"]), {
        "cache-control": "max-age=600",
      }),
    );
    const agent = new Agent();
    const auth = authInterceptor({ provider: providerAt(server.url), manager });
    const dispatcher = agent.compose(interceptors.cache(), auth);
    const ask = async () => (await dispatcher.request(get(server.url))).body.text();
    expect(await ask()).toBe("1");
    change();
    expect(await ask()).toBe("2");
    await agent.destroy();
  });
});
