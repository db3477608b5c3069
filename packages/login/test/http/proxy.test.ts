/** Failures of a proxy itself, and settings that name one. */
import { HttpTransport } from "@agent-auth/agent-identity/http";
import { startTestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import { createServer, type Socket } from "node:net";
import { inspect } from "node:util";
import { fetch as undiciFetch } from "undici";
import { describe, expect, it } from "vitest";
import { parseEnvironment, type Variables } from "../../src/config/environment.ts";
import { ProxyRequestFailed } from "../../src/errors/http.ts";
import { layer, makeDispatcher } from "../../src/http/index.ts";
import { startProxy } from "../support/proxy.ts";

const environmentOf = (variables: Variables) =>
  parseEnvironment(variables, { homeDir: "/nowhere" });

const target = { "http:": "http://target.test/", "https:": "https://target.test/" } as const;

/** What one GET with the client of these variables ends in. */
const get = (url: string, variables: Variables) =>
  Effect.runPromise(
    HttpTransport.use((it) => it.request({ method: "GET", url, timeoutMs: 5_000 })).pipe(
      Effect.provide(layer(environmentOf(variables), { allowInsecureHttp: true })),
      Effect.result,
    ),
  ).then((result) => (result._tag === "Success" ? result.success : result.failure));

/** The cause of a failed `fetch` over the dispatcher of these variables. */
const fetchFailure = (url: string, variables: Variables): Promise<unknown> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(makeDispatcher(environmentOf(variables)), (dispatcher) =>
        Effect.promise(() =>
          undiciFetch(url, { dispatcher }).then(
            (response) => response.text(),
            (error: unknown) => (error instanceof Error ? error.cause : error),
          ),
        ),
      ),
    ),
  );

/** A port on which nothing listens. */
const closedPort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" ? (address?.port ?? 0) : 0;
};

describe("a proxy that refuses", () => {
  it.each([
    ["HTTPS_PROXY", "https:"],
    ["HTTP_PROXY", "http:"],
    ["ALL_PROXY", "https:"],
    ["ALL_PROXY", "http:"],
  ] as const)(
    "%s with status 407 for an %s request is named, without its password",
    async (variable, scheme) => {
      await using proxy = await startProxy({ refuseWith: 407 });
      const variables = { [variable]: `http://ada:canary@${proxy.url}` };
      const error = await get(target[scheme], variables);
      expect(error).toMatchObject({
        _tag: "HttpConfigurationInvalid",
        causeCode: "LOGIN_PROXY_REQUEST_FAILED",
        message: `${variable}: the proxy http://${proxy.url} answered with status 407: it did not accept the user name and password`,
        hint: `Put the right user name and password of the proxy into ${variable}.`,
        remedy: "fixEnvironment",
      });
      expect(inspect(error)).not.toContain("canary");
      const cause = await fetchFailure(target[scheme], variables);
      expect(cause).toBeInstanceOf(ProxyRequestFailed);
      expect(cause).toMatchObject({ variable, status: 407 });
    },
  );

  it("with status 407 says if it got no user name and password", async () => {
    await using proxy = await startProxy({ refuseWith: 407 });
    expect(await get(target["https:"], { ALL_PROXY: proxy.url })).toMatchObject({
      message: `ALL_PROXY: the proxy http://${proxy.url} answered with status 407: it requires a user name and password`,
    });
  });

  it.each([302, 403, 502, 503])(
    "with status %i for a tunnel is not taken for the target",
    async (status) => {
      await using proxy = await startProxy({ refuseWith: status });
      expect(await get(target["https:"], { HTTPS_PROXY: proxy.url })).toMatchObject({
        _tag: "HttpConnectionFailed",
        causeCode: "LOGIN_PROXY_REQUEST_FAILED",
        reason: `HTTPS_PROXY: the proxy http://${proxy.url} answered with status ${status}: it opened no tunnel`,
        hint: "Ask the proxy's administrator to allow that host, or name the host in NO_PROXY.",
        remedy: "fixNetwork",
      });
    },
  );
});

describe("a proxy that cannot be reached", () => {
  it.each([
    ["HTTPS_PROXY", "https:"],
    ["HTTP_PROXY", "http:"],
    ["ALL_PROXY", "https:"],
  ] as const)("%s is named for an %s request", async (variable, scheme) => {
    const port = await closedPort();
    const variables = { [variable]: `http://ada:canary@127.0.0.1:${port}` };
    const error = await get(target[scheme], variables);
    expect(error).toMatchObject({
      _tag: "HttpConnectionFailed",
      causeCode: "LOGIN_PROXY_REQUEST_FAILED",
      hint: `Check that the proxy in ${variable} is running.`,
      reason: `${variable}: the proxy http://127.0.0.1:${port} failed: connection refused`,
    });
    expect(inspect(error)).not.toContain("canary");
    expect(await fetchFailure(target[scheme], variables)).toMatchObject({
      code: "LOGIN_PROXY_REQUEST_FAILED",
      variable,
    });
  });

  it("and whose name cannot be resolved is named", async () => {
    const error = await get(target["https:"], { HTTPS_PROXY: "http://proxy.invalid:3128" });
    expect(error).toMatchObject({
      reason:
        "HTTPS_PROXY: the proxy http://proxy.invalid:3128 failed: its name cannot be resolved",
    });
  });

  it.each<[what: string, reason: string, answer: (socket: Socket) => unknown]>([
    ["closes the connection", "the connection broke", (socket) => socket.destroy()],
    ["resets the connection", "the connection broke", (socket) => socket.resetAndDestroy()],
    [
      "is a server of another protocol",
      "its response is not HTTP",
      (socket) => socket.end("SSH-2.0\r\n"),
    ],
  ])("because it %s is named", async (_, reason, answer) => {
    const server = createServer((socket) => socket.once("data", () => answer(socket)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const error = await get(target["https:"], { HTTPS_PROXY: `127.0.0.1:${port}` });
    await new Promise((resolve) => server.close(resolve));
    expect(error).toMatchObject({
      reason: `HTTPS_PROXY: the proxy http://127.0.0.1:${port} failed: ${reason}`,
    });
  });

  it("over TLS because its certificate is not trusted names CODEX_CA_CERTIFICATE", async () => {
    await using authority = await startTestAuthority({ tls: "self-signed" });
    const error = await get(target["https:"], { HTTPS_PROXY: authority.url });
    expect(error).toMatchObject({
      _tag: "HttpConfigurationInvalid",
      causeCode: "LOGIN_PROXY_REQUEST_FAILED",
      hint: "Set CODEX_CA_CERTIFICATE to a PEM file with the root certificate of the proxy.",
    });
  });
});

describe("a proxy's user name and password", () => {
  it.each([
    ["ada:p%40ss", "ada:p@ss"],
    ["ada:100%", "ada:100%"],
    ["ada:a%zzb%40", "ada:a%zzb@"],
    ["a%:secret", "a%:secret"],
    ["ada", "ada:"],
    [":secret", ":secret"],
  ])("%s is sent as %s", async (userInfo, sent) => {
    await using proxy = await startProxy({ refuseWith: 403 });
    await get(target["https:"], { HTTPS_PROXY: `http://${userInfo}@${proxy.url}` });
    await get(target["http:"], { HTTP_PROXY: `http://${userInfo}@${proxy.url}` });
    const authorization = `Basic ${Buffer.from(sent).toString("base64")}`;
    expect(proxy.seen.map((it) => it.authorization)).toEqual([authorization, authorization]);
  });
});

describe("ALL_PROXY", () => {
  it("is used for http and https, and the variable of the scheme takes precedence", async () => {
    await using all = await startProxy({ refuseWith: 403 });
    await using own = await startProxy({ refuseWith: 403 });
    await get(target["https:"], { ALL_PROXY: all.url });
    await get(target["http:"], { all_proxy: all.url });
    await get(target["https:"], { ALL_PROXY: all.url, HTTPS_PROXY: own.url });
    await get(target["http:"], { ALL_PROXY: all.url, HTTP_PROXY: own.url });
    await get(target["https:"], { ALL_PROXY: all.url, HTTP_PROXY: own.url });
    expect(all.seen.map((it) => it.what)).toEqual([
      "CONNECT target.test:443",
      "GET http://target.test/",
      "CONNECT target.test:443",
    ]);
    expect(own.seen.map((it) => it.what)).toEqual([
      "CONNECT target.test:443",
      "GET http://target.test/",
    ]);
  });

  it.each(["socks5", "socks5h", "socks4"])(
    "with the scheme %s is reported as unsupported",
    async (scheme) => {
      const error = await get(target["https:"], { ALL_PROXY: `${scheme}://ada:canary@p:1080` });
      expect(error).toMatchObject({
        _tag: "HttpConfigurationInvalid",
        causeCode: "LOGIN_PROXY_UNUSABLE",
        message: `ALL_PROXY: proxies with the scheme ${scheme} are not supported`,
        hint: "Set ALL_PROXY to the URL of an http or https proxy.",
      });
      expect(inspect(error)).not.toContain("canary");
    },
  );

  it("with an unsupported scheme is ignored if HTTP_PROXY and HTTPS_PROXY are set", async () => {
    await using proxy = await startProxy({ refuseWith: 403 });
    const variables = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, ALL_PROXY: "socks5://x" };
    expect(await get(target["http:"], variables)).toMatchObject({ status: 403 });
  });
});
