import { inspect } from "node:util";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Redacted from "effect/Redacted";
import { Agent } from "undici";
import { type HttpRequest, HttpTransport } from "../src/http/index.ts";
import { layer, type UndiciTransportOptions } from "../src/http/undici.ts";
import { loopbackServer } from "./loopback-server.ts";

const send = (
  request: Partial<HttpRequest> & { readonly url: string },
  options: Partial<UndiciTransportOptions> = {},
) =>
  HttpTransport.use((transport) =>
    transport.request({ method: "GET", timeoutMs: 5000, ...request }),
  ).pipe(Effect.provide(layer({ originator: "tests", userAgent: "tests/1", ...options })));

const neverAnswers = () => undefined;

describe("http-transport-undici", () => {
  it.live(
    "sends originator, User-Agent, headers, secrets and body and reads the whole response",
    () =>
      Effect.gen(function* () {
        const server = yield* loopbackServer((_, __, response) => {
          response.writeHead(418, "Short and Stout", {
            "X-Kind": "teapot",
            "set-cookie": ["a=1", "b=2"],
          });
          response.end("Kännchen");
        });
        const answer = yield* send({
          method: "POST",
          url: `${server.url}/pot?x=1`,
          headers: { "content-type": "text/plain", authorization: Redacted.make("Bearer hush") },
          body: Redacted.make("brew"),
        });
        expect(answer).toMatchObject({
          status: 418,
          statusText: "Short and Stout",
          body: "Kännchen",
        });
        expect(answer.headers).toMatchObject({ "x-kind": "teapot", "set-cookie": "a=1, b=2" });
        expect(server.arrived).toHaveLength(1);
        expect(server.arrived[0]).toMatchObject({
          method: "POST",
          path: "/pot?x=1",
          body: "brew",
          headers: {
            originator: "tests",
            "user-agent": "tests/1",
            "content-type": "text/plain",
            authorization: "Bearer hush",
          },
        });
      }).pipe(Effect.scoped),
  );

  it.live("times out before the response head and within the body, also if bytes keep coming", () =>
    Effect.gen(function* () {
      const silent = yield* loopbackServer(neverAnswers);
      const hanging = yield* loopbackServer((_, __, response) => void response.write("half"));
      const dripping = yield* loopbackServer((_, __, response) => {
        const timer = setInterval(() => response.write("."), 10);
        response.on("close", () => clearInterval(timer));
      });
      for (const { url } of [silent, hanging, dripping]) {
        const error = yield* Effect.flip(send({ url: `${url}/x?secret=1`, timeoutMs: 50 }));
        expect(error).toMatchObject({
          code: "AGENT_IDENTITY_HTTP_TIMED_OUT",
          method: "GET",
          url: `${url}/x`,
          timeoutMs: 50,
        });
      }
    }).pipe(Effect.scoped),
  );

  it.live.each([40, 300])(
    "reads a response that arrived within its %i ms while the process was stopped for longer",
    (timeoutMs) =>
      Effect.gen(function* () {
        const server = yield* loopbackServer((_, __, response) => {
          response.end("tokens");
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, timeoutMs + 400);
        });
        expect(yield* send({ url: server.url, timeoutMs })).toMatchObject({ body: "tokens" });
      }).pipe(Effect.scoped),
  );

  it.live("times out although the process was stopped, if nothing arrived meanwhile", () =>
    Effect.gen(function* () {
      const server = yield* loopbackServer(() => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
      });
      const error = yield* Effect.flip(send({ url: server.url, timeoutMs: 50 }));
      expect(error).toMatchObject({ code: "AGENT_IDENTITY_HTTP_TIMED_OUT", timeoutMs: 50 });
    }).pipe(Effect.scoped),
  );

  it.live("rejects a body over the limit, with or without Content-Length", () =>
    Effect.gen(function* () {
      const server = yield* loopbackServer(({ path }, _, response) => {
        const size = Number(path.slice(1));
        if (size % 2 === 0) response.setHeader("content-length", size);
        response.end("x".repeat(size));
      });
      const atCap = yield* send({ url: `${server.url}/1000`, maxBodyBytes: 1000 });
      expect(atCap.body).toHaveLength(1000);
      for (const size of [1001, 100_000]) {
        const error = yield* Effect.flip(
          send({ url: `${server.url}/${size}`, maxBodyBytes: 1000 }),
        );
        expect(error).toMatchObject({
          code: "AGENT_IDENTITY_HTTP_BODY_TOO_LARGE",
          maxBodyBytes: 1000,
        });
      }
      const byDefault = yield* Effect.flip(send({ url: `${server.url}/1048577` }));
      expect(byDefault).toMatchObject({ maxBodyBytes: 1_048_576 });
    }).pipe(Effect.scoped),
  );

  it.live("stops reading an endless body at the limit", () =>
    Effect.gen(function* () {
      let written = 0;
      const server = yield* loopbackServer((_, __, response) => {
        const more = () => {
          while (!response.destroyed && response.write("x".repeat(65_536))) written += 65_536;
          if (!response.destroyed) response.once("drain", more);
        };
        more();
      });
      const error = yield* Effect.flip(send({ url: server.url }));
      expect(error.code).toBe("AGENT_IDENTITY_HTTP_BODY_TOO_LARGE");
      expect(written).toBeLessThan(64 * 1_048_576);
    }).pipe(Effect.scoped),
  );

  it.live("reports the code of a refused, reset or broken connection without a cause", () =>
    Effect.gen(function* () {
      const reset = yield* loopbackServer((_, request) => void request.socket.destroy());
      const cut = yield* loopbackServer((_, request, response) => {
        response.writeHead(200, { "content-length": 100 });
        response.write("half", () => request.socket.destroy());
      });
      const closed = yield* Effect.scoped(loopbackServer(neverAnswers));
      for (const [url, reason] of [
        [closed.url, /^ECONNREFUSED$/],
        [reset.url, /^(UND_ERR_SOCKET|ECONNRESET)$/],
        [cut.url, /^(UND_ERR_SOCKET|ECONNRESET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)$/],
      ] as const) {
        const error = yield* Effect.flip(
          send({
            url: `${url}/p?token=canary`,
            headers: { authorization: Redacted.make("canary") },
          }),
        );
        expect(error).toMatchObject({
          code: "AGENT_IDENTITY_HTTP_CONNECTION_FAILED",
          url: `${url}/p`,
        });
        expect("reason" in error && error.reason).toMatch(reason);
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("canary");
      }
    }).pipe(Effect.scoped),
  );

  it.live("aborts the request when its caller is interrupted", () =>
    Effect.gen(function* () {
      const gone = Promise.withResolvers<void>();
      const came = Promise.withResolvers<void>();
      const server = yield* loopbackServer((_, request) => {
        request.socket.once("close", () => gone.resolve());
        came.resolve();
      });
      const fiber = yield* Effect.forkChild(send({ url: server.url }));
      yield* Effect.promise(() => came.promise);
      yield* Fiber.interrupt(fiber);
      yield* Effect.promise(() => gone.promise);
      expect(server.arrived).toHaveLength(1);
    }).pipe(Effect.scoped),
  );

  it.live("uses the caller's dispatcher and leaves it open", () =>
    Effect.gen(function* () {
      const server = yield* loopbackServer((_, __, response) => void response.end("ok"));
      const dispatcher = new Agent();
      yield* send({ url: server.url }, { dispatcher });
      expect(dispatcher.destroyed).toBe(false);
      yield* Effect.promise(() => dispatcher.close());
    }).pipe(Effect.scoped),
  );
});

describe("http-transport-undici: redirects", () => {
  it.live.each([301, 302, 303, 307, 308])("follows %i of a GET within the origin", (status) =>
    Effect.gen(function* () {
      const server = yield* loopbackServer(({ path }, _, response) => {
        if (path === "/a/b") response.writeHead(status, { location: "../c?d=1" }).end();
        else response.end(path);
      });
      const answer = yield* send({ url: `${server.url}/a/b`, headers: { "x-kept": "yes" } });
      expect(answer).toMatchObject({ status: 200, body: "/c?d=1" });
      expect(server.arrived[1]?.headers).toMatchObject({ "x-kept": "yes" });
    }).pipe(Effect.scoped),
  );

  it.live.each([307, 308])("sends a POST again after %i within the origin", (status) =>
    Effect.gen(function* () {
      const server = yield* loopbackServer(({ path, method, body }, _, response) => {
        if (path === "/a") response.writeHead(status, { location: "/b" }).end();
        else response.end(`${method} ${body}`);
      });
      expect((yield* send({ url: `${server.url}/a`, method: "POST", body: "once" })).body).toBe(
        "POST once",
      );
    }).pipe(Effect.scoped),
  );

  it.live.each([301, 302, 303])("does not turn a POST into a GET after %i", (status) =>
    Effect.gen(function* () {
      const server = yield* loopbackServer((_, __, response) => {
        response.writeHead(status, { location: "/b" }).end();
      });
      const error = yield* Effect.flip(send({ url: server.url, method: "POST", body: "once" }));
      expect(error).toMatchObject({
        code: "AGENT_IDENTITY_HTTP_REDIRECT_NOT_ALLOWED",
        why: "not a GET",
      });
      expect(server.arrived).toHaveLength(1);
    }).pipe(Effect.scoped),
  );

  it.live("does not follow a redirect to another origin, not even another port", () =>
    Effect.gen(function* () {
      const thief = yield* loopbackServer((_, __, response) => void response.end("thanks"));
      const server = yield* loopbackServer((_, __, response) => {
        response.writeHead(307, { location: `${thief.url}/steal?canary=1` }).end();
      });
      const error = yield* Effect.flip(
        send({ url: server.url, headers: { authorization: Redacted.make("hush") } }),
      );
      expect(error).toMatchObject({ status: 307, target: thief.url, why: "another origin" });
      expect(error.message).not.toContain("canary");
      expect(thief.arrived).toHaveLength(0);
    }).pipe(Effect.scoped),
  );

  it.live("stops after five redirects and at a redirect without Location", () =>
    Effect.gen(function* () {
      const server = yield* loopbackServer(({ path }, _, response) => {
        if (path === "/nowhere") response.writeHead(302).end();
        else if (path === "/file") response.writeHead(302, { location: "file:///x" }).end();
        else if (path === "/bad") response.writeHead(302, { location: "http://[" }).end();
        else response.writeHead(302, { location: "/loop" }).end();
      });
      expect(yield* Effect.flip(send({ url: server.url }))).toMatchObject({
        why: "too many redirects",
      });
      expect(server.arrived).toHaveLength(6);
      for (const path of ["/nowhere", "/bad", "/file"])
        expect(yield* Effect.flip(send({ url: server.url + path }))).toMatchObject({
          why: "no usable location",
          target: null,
        });
    }).pipe(Effect.scoped),
  );
});

describe("http-transport-undici: rejects before anything is sent", () => {
  it.live("plain http for hosts other than loopback, unless allowed", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(send({ url: "http://authority.invalid/x?y=canary" }));
      expect(error).toMatchObject({
        code: "AGENT_IDENTITY_HTTP_INSECURE_URL",
        url: "http://authority.invalid/x",
      });
      const tried = yield* Effect.flip(
        send({ url: "http://authority.invalid/x" }, { allowInsecureHttp: true }),
      );
      expect(tried.code).toBe("AGENT_IDENTITY_HTTP_CONNECTION_FAILED");
    }),
  );

  it.live.each([
    "",
    "/relative",
    "ftp://authority.invalid",
    "https://user:canary@authority.invalid",
    "https://canary@authority.invalid",
    "https://:canary@authority.invalid",
  ])("a URL like %j", (url) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(send({ url }));
      expect(error).toMatchObject({ code: "AGENT_IDENTITY_HTTP_REQUEST_INVALID", part: "url" });
      expect(inspect(error)).not.toContain("canary");
    }),
  );

  it.live.each([
    { "x-a": "canary\r\nx-b: 1" },
    { "x-a": "canary\u0000" },
    { "x-a": "canary €" },
    { "x a": "canary" },
    { "": "canary" },
  ])("headers like %j, without the value in the error", (headers) =>
    Effect.gen(function* () {
      const secret = Object.entries(headers).map(([name, value]) => [name, Redacted.make(value)]);
      for (const tried of [headers, Object.fromEntries(secret)]) {
        const error = yield* Effect.flip(send({ url: "http://127.0.0.1:1", headers: tried }));
        expect(error.code).toBe("AGENT_IDENTITY_HTTP_REQUEST_INVALID");
        expect(inspect(error, { depth: 9 })).not.toContain("canary");
      }
    }),
  );
});
