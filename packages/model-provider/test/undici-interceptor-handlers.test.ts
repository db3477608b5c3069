import { Agent, type Dispatcher, interceptors } from "undici";
import * as Redacted from "effect/Redacted";
import { describe, expect, it } from "vitest";
import { authInterceptor, type AuthInterceptorOptions } from "../src/dispatcher/index.ts";
import { bearer } from "./support/credentials.ts";
import { managerOf } from "./support/managers.ts";
import { providerAt } from "./support/providers.ts";
import { answer, type Respond, startServer, startSocketServer } from "./support/server.ts";

/** An agent that is signed in to a server, with further interceptors after authInterceptor. */
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

/** Finds no other credential, after the 401 has been held. */
const givingUp = {
  ...managerOf(bearer("a")),
  recoverUnauthorized: () => new Promise<null>((resolve) => setImmediate(() => resolve(null))),
};

const always =
  (status: number, body = "no"): Respond =>
  (_request, response) =>
    answer(response, status, body, { "content-length": String(body.length) });

const secondTry: Respond = (request, response, count) =>
  answer(response, count === 1 ? 401 : 200, request.body);

describe("authInterceptor: a handler that throws at a 401 that was held", () => {
  it("fails its own request: stream's factory", async () => {
    await using server = await startServer(always(401));
    await using one = agentFor({ provider: providerAt(server.url), manager: givingUp });
    await expect(
      one.dispatcher.stream(get(server.url), ({ statusCode }) => {
        throw new RangeError(`got ${statusCode}`);
      }),
    ).rejects.toThrow("got 401");
  });

  it("fails its own request: the dump interceptor, which replaces abort", async () => {
    await using server = await startServer(always(401, "x".repeat(5_000)));
    const options = { provider: providerAt(server.url), manager: givingUp };
    await using one = agentFor(options, interceptors.dump({ maxSize: 10 }));
    await expect(one.dispatcher.request(get(server.url))).rejects.toThrow("larger than maxSize");
  });

  it("fails its own request if the response has ended", async () => {
    await using server = await startServer(always(401, ""));
    await using one = agentFor({ provider: providerAt(server.url), manager: givingUp });
    await expect(
      one.dispatcher.stream({ ...get(server.url), method: "HEAD" }, () => {
        throw new RangeError("no room");
      }),
    ).rejects.toThrow("no room");
  });

  it("gets no data while it is paused", async () => {
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
    await turns(5);
    expect([events, controller.paused]).toEqual([[], true]);
    controller.resume();
    await ended.promise;
    expect(events).toEqual(["whole"]);
  });
});

/** A handler that records its calls. */
const recorder = () => {
  const told: Array<string> = [];
  const started = Promise.withResolvers<Dispatcher.DispatchController>();
  const over = Promise.withResolvers<void>();
  const raw: Array<unknown> = [];
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart: (controller) => {
      told.push("start");
      started.resolve(controller);
    },
    onResponseStart: (controller, status) => {
      told.push(String(status));
      raw.push(controller.rawHeaders);
    },
    onResponseData: () => {},
    onResponseEnd: () => {
      told.push("end");
      over.resolve();
    },
    onResponseError: (_controller, error) => {
      told.push(error.message);
      over.resolve();
    },
  };
  return { told, raw, handler, controller: started.promise, over: over.promise };
};

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

describe("authInterceptor: calls of a handler", () => {
  it("is one start, however many attempts it takes", async () => {
    await using server = await startServer((_request, response, count) =>
      answer(response, [401, 503, 200][count - 1] ?? 500),
    );
    const manager = managerOf(bearer("old"), bearer("new"));
    const provider = providerAt(server.url, { requestMaxRetries: 1 });
    await using one = agentFor({ provider, manager, retryBaseDelayMs: 0 });
    const { told, handler, over } = recorder();
    one.dispatcher.dispatch(get(server.url), handler);
    await over;
    expect(told).toEqual(["start", "200", "end"]);
  });

  it("includes the raw headers, also of a response that was held to its end", async () => {
    await using server = await startServer(always(401, ""));
    await using one = agentFor({ provider: providerAt(server.url), manager: givingUp });
    const { told, raw, handler, over } = recorder();
    one.dispatcher.dispatch({ ...get(server.url), method: "HEAD" }, handler);
    await over;
    expect([told, raw.map(Array.isArray)]).toEqual([["start", "401", "end"], [true]]);
  });

  it("is nothing after it aborted, even if the recovery ends later", async () => {
    await using server = await startServer(always(401, ""));
    const asked = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<null>();
    const manager = {
      ...managerOf(bearer("a")),
      recoverUnauthorized: () => {
        asked.resolve();
        return answered.promise;
      },
    };
    await using one = agentFor({ provider: providerAt(server.url), manager });
    const { told, handler, controller, over } = recorder();
    one.dispatcher.dispatch({ ...get(server.url), method: "HEAD" }, handler);
    await asked.promise;
    await turns(2);
    (await controller).abort(new Error("enough"));
    await over;
    answered.resolve(null);
    await turns(5);
    expect(told).toEqual(["start", "enough"]);
  });

  it("is the reason of an abort, at once and once, while the next attempt waits for a connection", async () => {
    await using server = await startServer((_request, response) => {
      response.writeHead(401).write("x"); // It holds the only connection until it is released.
    });
    const recovering = Promise.withResolvers<void>();
    const manager = {
      ...managerOf(bearer("a")),
      recoverUnauthorized: () => {
        recovering.resolve();
        return Promise.resolve(bearer("b"));
      },
    };
    const agent = new Agent({ connections: 1 });
    const options = { provider: providerAt(server.url), manager };
    const { told, handler, controller, over } = recorder();
    agent.compose(authInterceptor(options)).dispatch(get(server.url), handler);
    await recovering.promise;
    await turns(5);
    (await controller).abort(new Error("enough"));
    expect(told).toEqual(["start", "enough"]);
    await over;
    await agent.close(); // Waits for the attempt that was queued.
    expect([told, server.seen.length]).toEqual([["start", "enough"], 1]);
  });

  it("is delayed while it is paused, also for an attempt that started later", async () => {
    await using server = await startServer((_request, response, count) =>
      answer(response, count === 1 ? 503 : 200, "whole"),
    );
    const provider = providerAt(server.url, { requestMaxRetries: 1 });
    await using one = agentFor({ provider, manager: managerOf(bearer("a")), retryBaseDelayMs: 0 });
    const { told, handler, controller, over } = recorder();
    const answered = Promise.withResolvers<void>();
    one.dispatcher.dispatch(get(server.url), {
      ...handler,
      onRequestStart: (steady, context) => {
        steady.pause();
        handler.onRequestStart?.(steady, context);
      },
      onResponseStart: (steady, ...more) => {
        handler.onResponseStart?.(steady, ...more);
        answered.resolve();
      },
    });
    await answered.promise;
    await turns(5);
    expect(told).toEqual(["start", "200"]);
    (await controller).resume();
    await over;
    expect(told).toEqual(["start", "200", "end"]);
  });

  it("is the next attempt's response if a connection breaks after an early hint", async () => {
    let count = 0;
    await using server = await startSocketServer(async (socket) => {
      if (++count === 1) socket.write("HTTP/1.1 103 Early Hints\r\n\r\n", () => socket.destroy());
      else socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    const provider = providerAt(server.url, { requestMaxRetries: 1 });
    await using one = agentFor({ provider, manager: managerOf(bearer("a")), retryBaseDelayMs: 0 });
    const { told, handler, over } = recorder();
    one.dispatcher.dispatch(get(server.url), handler);
    await over;
    expect(told.at(-2)).toBe("200");
  });
});

describe("authInterceptor: requests as undici takes them", () => {
  it.each([
    ["an ArrayBuffer", new TextEncoder().encode("prompt").buffer],
    ["a Blob", new Blob(["prompt"])],
  ])("sends %s again after a 401", async (_kind, body) => {
    await using server = await startServer(secondTry);
    const manager = managerOf(bearer("old"), bearer("new"));
    await using one = agentFor({ provider: providerAt(server.url), manager });
    const more: object = { body }; // undici takes it; its types do not say so.
    const request = { ...get(server.url), method: "POST", ...more } as const;
    const { statusCode } = await one.dispatcher.request(request);
    expect([statusCode, server.seen.map((seen) => seen.body)]).toEqual([200, ["prompt", "prompt"]]);
  });

  it("recognizes the provider's origin in every spelling", async () => {
    await using server = await startServer(always(200));
    await using one = agentFor({
      provider: providerAt(server.url),
      manager: managerOf(bearer("a")),
    });
    for (const origin of [new URL(server.url), `${server.url.replace("http:", "HTTP:")}/`])
      await one.dispatcher.request({ origin, path: "/a", method: "GET" });
    expect(server.seen.map((seen) => seen.headers.authorization)).toEqual(["Bearer a", "Bearer a"]);
  });

  it("reuses the connection of a response that was held", async () => {
    await using server = await startServer(secondTry);
    const agent = new Agent({ connections: 1 });
    let connections = 0;
    agent.on("connect", () => connections++);
    const manager = managerOf(bearer("old"), bearer("new"));
    const dispatcher = agent.compose(
      authInterceptor({ provider: providerAt(server.url), manager }),
    );
    const request = { ...get(server.url), method: "POST", body: "read me" } as const;
    const { statusCode } = await dispatcher.request(request);
    expect([statusCode, connections]).toEqual([200, 1]);
    await agent.destroy();
  });

  it("keeps the headers of an iterator for the next attempt", async () => {
    await using server = await startServer(secondTry);
    const manager = managerOf(bearer("old"), bearer("new"));
    await using one = agentFor({ provider: providerAt(server.url), manager });
    const headers = Object.entries({ "x-own": "1" }).values();
    await one.dispatcher.request({ ...get(server.url), headers });
    expect(server.seen.map((seen) => seen.headers["x-own"])).toEqual(["1", "1"]);
  });

  it("adds query_params unless the caller's `query` has them", async () => {
    await using server = await startServer(always(200));
    const queryParams = { v: Redacted.make("7"), x: Redacted.make("provider") };
    const provider = providerAt(server.url, { queryParams });
    await using one = agentFor({ provider, manager: managerOf(bearer("a")) });
    await one.dispatcher.request({ ...get(server.url), query: { x: "caller", a: 1 } });
    const url = new URL(server.seen[0]?.url ?? "", server.url);
    expect(Object.fromEntries(url.searchParams)).toEqual({ v: "7", x: "caller", a: "1" });
  });

  it("does not change the path", async () => {
    await using server = await startServer(always(200));
    const provider = providerAt(server.url, { queryParams: { v: Redacted.make("7") } });
    await using one = agentFor({ provider, manager: managerOf(bearer("a")) });
    await one.dispatcher.request({ ...get(server.url), path: "/a/../b?c=%20" });
    expect(server.seen.map((seen) => seen.url)).toEqual(["/a/../b?c=%20&v=7"]);
  });

  it("does not authenticate a request whose absolute path names another server", async () => {
    await using server = await startServer(always(200));
    const options = { provider: providerAt(server.url), manager: managerOf(bearer("a")) };
    await using one = agentFor(options);
    await using strict = agentFor({ ...options, otherOrigins: "reject" });
    const request = { ...get(server.url), path: "http://evil.example/a" };
    await one.dispatcher.request(request);
    await one.dispatcher.request({ ...request, path: `${server.url}/a` });
    expect(server.seen.map((seen) => seen.headers.authorization)).toEqual([undefined, "Bearer a"]);
    await expect(strict.dispatcher.request(request)).rejects.toMatchObject({
      code: "PROVIDER_REQUEST_ORIGIN_NOT_ALLOWED",
      origin: "http://evil.example",
    });
  });

  it("refuses the fetch of another version of undici", async () => {
    await using server = await startServer(always(200));
    await using one = agentFor({ provider: providerAt(server.url), manager: givingUp });
    const init: object = { dispatcher: one.dispatcher };
    await expect(globalThis.fetch(server.url, init)).rejects.toMatchObject({
      cause: { message: expect.stringContaining("another version of undici") },
    });
    expect(server.seen).toEqual([]);
  });
});
