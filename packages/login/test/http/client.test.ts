import { describe, expect, it } from "vitest";
import { HttpTransport } from "@agent-auth/agent-identity/http";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { X509Certificate } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { inspect } from "node:util";
import { parseEnvironment, type Variables } from "../../src/config/environment.ts";
import { type HttpClientOptions, layer, makeDispatcher } from "../../src/http/index.ts";
import { temporaryFolder } from "../support/home.ts";
import { startProxy } from "../support/proxy.ts";

const environmentOf = (variables: Variables) =>
  parseEnvironment(variables, { homeDir: "/nowhere" });

const getting = (url: string) =>
  HttpTransport.use((transport) => transport.request({ method: "GET", url, timeoutMs: 5_000 }));

/** Sends one GET with the client of these variables. */
const get = (url: string, variables: Variables = {}, options?: HttpClientOptions) =>
  Effect.runPromise(
    Effect.result(Effect.provide(getting(url), layer(environmentOf(variables), options))),
  ).then((result) => (result._tag === "Success" ? result.success : result.failure));

const jwksOf = (authority: TestAuthority): string =>
  `${authority.chatgptBaseUrl}/wham/agent-identities/jwks`;

describe("HttpClient.layer", () => {
  it("sends the originator and a User-Agent; the environment's originator wins", async () => {
    await using authority = await startTestAuthority();
    await get(jwksOf(authority));
    await get(jwksOf(authority), {}, { originator: "ours", userAgent: "acme/1.2.3" });
    await get(
      jwksOf(authority),
      { CODEX_INTERNAL_ORIGINATOR_OVERRIDE: "env" },
      { originator: "ours" },
    );
    const headers = authority.requests.map((it) => [
      it.headers["originator"],
      it.headers["user-agent"],
    ]);
    const platform = `(${process.platform}; ${process.arch})`;
    expect(headers).toEqual([
      ["codex_cli_rs", `agent-auth ${platform}`],
      ["ours", `acme/1.2.3 ${platform}`],
      ["env", `agent-auth ${platform}`],
    ]);
  });

  it("names CODEX_CA_CERTIFICATE if a certificate is not trusted", async () => {
    await using authority = await startTestAuthority({ tls: "self-signed" });
    const error = await get(jwksOf(authority));
    expect(error).toMatchObject({
      _tag: "HttpConfigurationInvalid",
      hint: expect.stringContaining("CODEX_CA_CERTIFICATE"),
    });
    expect(authority.requests).toEqual([]);
  });

  it.each(["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"])(
    "trusts the roots that %s names",
    async (variable) => {
      await using authority = await startTestAuthority({ tls: "self-signed" });
      const path = join(temporaryFolder(), "roots.pem");
      writeFileSync(path, `# our own root\n${authority.certificate}\ntrailing words\n`);
      expect(await get(jwksOf(authority), { [variable]: path })).toMatchObject({ status: 200 });
    },
  );

  it("trusts a root in OpenSSL's TRUSTED form", async () => {
    await using authority = await startTestAuthority({ tls: "self-signed" });
    const path = join(temporaryFolder(), "roots.pem");
    const { raw } = new X509Certificate(authority.certificate ?? "");
    const notes = Buffer.from("300c300a06082b06010505070301", "hex"); // trust for server authentication
    const body = Buffer.concat([raw, notes]).toString("base64");
    writeFileSync(
      path,
      `-----BEGIN TRUSTED CERTIFICATE-----\n${body}\n-----END TRUSTED CERTIFICATE-----\n`,
    );
    expect(await get(jwksOf(authority), { SSL_CERT_FILE: path })).toMatchObject({ status: 200 });
  });

  it.each([
    ["is missing", () => undefined, "no such file"],
    ["is a folder", (path: string) => mkdirSync(path), "it is a folder"],
    ["is a FIFO", (path: string) => execFileSync("mkfifo", [path]), "it is not a regular file"],
    ["is a device", (path: string) => symlinkSync("/dev/zero", path), "it is not a regular file"],
    [
      "is larger than 16 MiB",
      (path: string) => {
        writeFileSync(path, "");
        truncateSync(path, 16 * 1024 * 1024 + 1);
      },
      "it is larger than 16 MiB",
    ],
    ["is empty", (path: string) => writeFileSync(path, " \n"), "it is empty"],
    [
      "holds no certificate",
      (path: string) => writeFileSync(path, "hello"),
      "holds no PEM certificate",
    ],
    [
      "holds a broken certificate",
      (path: string) =>
        writeFileSync(path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
      "certificate 1 is broken",
    ],
  ])(
    "a CA bundle that %s fails the request with an error that names the file",
    async (_, make, reason) => {
      await using authority = await startTestAuthority({ tls: "self-signed" });
      const path = join(temporaryFolder(), "roots.pem");
      make(path);
      const error = await get(jwksOf(authority), { CODEX_CA_CERTIFICATE: path });
      expect(error).toMatchObject({
        _tag: "HttpConfigurationInvalid",
        causeCode: "LOGIN_CA_BUNDLE_UNUSABLE",
      });
      for (const part of ["CODEX_CA_CERTIFICATE", path, reason])
        expect(inspect(error)).toContain(part);
      expect(authority.requests).toEqual([]);
    },
  );

  it("reads the bundle with the first request, and again after a failure", async () => {
    await using authority = await startTestAuthority({ tls: "self-signed" });
    const path = join(temporaryFolder(), "roots.pem");
    const program = Effect.gen(function* () {
      const error = yield* Effect.flip(getting(jwksOf(authority)));
      expect(error._tag).toBe("HttpConfigurationInvalid");
      writeFileSync(path, authority.certificate ?? "");
      expect((yield* getting(jwksOf(authority))).status).toBe(200);
    });
    await Effect.runPromise(Effect.provide(program, layer(environmentOf({ SSL_CERT_FILE: path }))));
  });

  it.each([20, 100, 200])("accepts %i KiB of response headers", async (kib) => {
    const server = createServer((_request, response) => {
      for (let index = 0; index < kib; index++) response.setHeader(`x-${index}`, "v".repeat(1024));
      response.end("{}");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const answer = await get(
      `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`,
    );
    server.closeAllConnections();
    server.close();
    expect(answer).toMatchObject({ status: 200 });
  });

  it("builds one client for many first requests at once", async () => {
    await using authority = await startTestAuthority();
    const url = jwksOf(authority);
    const all = Effect.all(
      Array.from({ length: 20 }, () => getting(url)),
      { concurrency: "unbounded" },
    );
    const answers = await Effect.runPromise(Effect.provide(all, layer(environmentOf({}))));
    expect(answers.map((it) => it.status)).toEqual(answers.map(() => 200));
  });
});

/** The same server under a name that is not loopback; only the test's proxy can resolve it. */
const away = (url: string): string => url.replace("127.0.0.1", "authority.test");

/** As `away`, with a name that the authority's certificate is good for; `localhost.` is looked up, so it is not loopback. */
const awayWithTls = (url: string): string => url.replace("127.0.0.1", "localhost.");

describe("HttpClient.layer, proxies", () => {
  it("sends http through HTTP_PROXY, with or without a scheme", async () => {
    await using authority = await startTestAuthority();
    await using proxy = await startProxy();
    const url = away(jwksOf(authority));
    for (const proxyUrl of [proxy.url, `http://${proxy.url}/`]) {
      const answer = await get(url, { HTTP_PROXY: proxyUrl }, { allowInsecureHttp: true });
      expect(answer).toMatchObject({ status: 200 });
    }
    expect(proxy.seen.map((it) => it.what)).toEqual([`GET ${url}`, `GET ${url}`]);
  });

  it("tunnels https through HTTPS_PROXY, with the proxy's password and the extra roots", async () => {
    await using authority = await startTestAuthority({ tls: "self-signed" });
    await using proxy = await startProxy();
    const path = join(temporaryFolder(), "roots.pem");
    writeFileSync(path, authority.certificate ?? "");
    const answer = await get(awayWithTls(jwksOf(authority)), {
      https_proxy: `http://ada:p%40ss@${proxy.url}`,
      CODEX_CA_CERTIFICATE: path,
    });
    expect(answer).toMatchObject({ status: 200 });
    const authorization = `Basic ${Buffer.from("ada:p@ss").toString("base64")}`;
    expect(proxy.seen).toEqual([
      { what: `CONNECT ${new URL(awayWithTls(authority.url)).host}`, authorization },
    ]);
  });

  it("does not use the proxy for hosts in NO_PROXY", async () => {
    await using authority = await startTestAuthority();
    await using proxy = await startProxy();
    const variables = { HTTP_PROXY: proxy.url, NO_PROXY: "example.com, authority.test" };
    const answer = await get(away(jwksOf(authority)), variables, { allowInsecureHttp: true });
    expect(answer).toMatchObject({ _tag: "HttpConnectionFailed" });
    expect(proxy.seen).toEqual([]);
  });

  it("does not use the proxy for loopback hosts", async () => {
    await using authority = await startTestAuthority();
    await using proxy = await startProxy();
    const variables = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, NO_PROXY: "example.com" };
    const { port } = new URL(authority.url);
    for (const host of ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"]) {
      const answer = await get(`http://${host}:${port}/`, variables);
      expect(answer).toSatisfy((it) => "status" in it || it._tag === "HttpConnectionFailed");
    }
    expect(await get(jwksOf(authority), variables)).toMatchObject({ status: 200 });
    expect(proxy.seen).toEqual([]);
  });

  it("reads the variables it was given and no others", async () => {
    await using authority = await startTestAuthority();
    const before = process.env["http_proxy"];
    process.env["http_proxy"] = "http://127.0.0.1:1";
    try {
      expect(await get(jwksOf(authority))).toMatchObject({ status: 200 });
      expect(await get(jwksOf(authority), { HTTPS_PROXY: "127.0.0.1:1" })).toMatchObject({
        status: 200,
      });
    } finally {
      if (before === undefined) delete process.env["http_proxy"];
      else process.env["http_proxy"] = before;
    }
  });

  it.each(["http://", "http://a b", "socks5://proxy:1080"])(
    "refuses %s as a proxy with an error that names only the variable",
    async (url) => {
      const canary = "canary-5d";
      const value = url.replace("://", `://ada:${canary}@`);
      const error = await get("http://127.0.0.1:1/", { HTTP_PROXY: value });
      expect(error).toMatchObject({
        _tag: "HttpConfigurationInvalid",
        causeCode: "LOGIN_PROXY_UNUSABLE",
      });
      expect(inspect(error)).toContain("HTTP_PROXY");
      expect(inspect(error)).not.toContain(canary);
    },
  );
});

const failureOf = (variables: Variables) =>
  Effect.runPromise(Effect.flip(Effect.scoped(makeDispatcher(environmentOf(variables)))));

describe("makeDispatcher", () => {
  it("fails with the error of the setting itself", async () => {
    expect(await failureOf({ SSL_CERT_FILE: "/missing.pem" })).toMatchObject({
      code: "LOGIN_CA_BUNDLE_UNUSABLE",
      variable: "SSL_CERT_FILE",
      path: "/missing.pem",
    });
    expect(await failureOf({ HTTPS_PROXY: "ftp://x" })).toMatchObject({
      code: "LOGIN_PROXY_UNUSABLE",
      variable: "HTTPS_PROXY",
    });
  });

  it("closes the dispatcher with its scope", async () => {
    await using proxy = await startProxy();
    for (const variables of [{}, { HTTP_PROXY: proxy.url }]) {
      const dispatcher = await Effect.runPromise(
        Effect.scoped(makeDispatcher(environmentOf(variables))),
      );
      await expect(
        dispatcher.request({ origin: "http://127.0.0.1:1", path: "/", method: "GET" }),
      ).rejects.toMatchObject({ code: "UND_ERR_DESTROYED" });
    }
  });

  it("shows no password of a proxy when the environment is printed", () => {
    const { httpProxy } = environmentOf({ HTTP_PROXY: "http://ada:canary@x" });
    expect(inspect(httpProxy)).not.toContain("canary");
    expect(httpProxy && Redacted.value(httpProxy.url)).toContain("canary");
  });
});
