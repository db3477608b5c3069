import { inspect } from "node:util";
import * as Redacted from "effect/Redacted";
import * as fc from "fast-check";
import { Agent, Request as UndiciRequest } from "undici";
import { describe, expect, it } from "vitest";
import { type AuthenticatedFetchOptions, createAuthenticatedFetch } from "../src/fetch/index.ts";
import { agent, bearer, chatgpt } from "./support/credentials.ts";
import { managerOf, switching } from "./support/managers.ts";
import { providerAt } from "./support/providers.ts";
import { answer, type Respond, startServer } from "./support/server.ts";
import { clientContract } from "./client.contract.ts";
import { fetchClient } from "./support/clients.ts";

clientContract("createAuthenticatedFetch", fetchClient);

const signedTo = (url: string, more: Partial<AuthenticatedFetchOptions> = {}) =>
  createAuthenticatedFetch({
    provider: providerAt(`${url}/v1`),
    manager: managerOf(chatgpt("access-1")),
    ...more,
  });

const ok: Respond = (_request, response) => answer(response, 200);

describe("createAuthenticatedFetch: addresses", () => {
  it("resolves a relative input below the base URL", async () => {
    await using server = await startServer(ok);
    const fetch = signedTo(server.url);
    for (const path of [
      "responses",
      "/responses",
      "./responses?x=1",
      "//a",
      "a/../b",
      "\\a",
      "a:b/c",
      "a%2fb..c%5c...?x=..%2f..",
    ])
      await fetch(path.includes(":") ? `./${path}` : path);
    expect(server.seen.map(({ url }) => url)).toEqual([
      "/v1/responses",
      "/v1/responses",
      "/v1/responses?x=1",
      "/v1//a",
      "/v1/b",
      "/v1//a",
      "/v1/a:b/c",
      "/v1/a%2fb..c%5c...?x=..%2f..",
    ]);
    expect(server.seen.every(({ headers }) => headers.authorization === "Bearer access-1")).toBe(
      true,
    );
  });

  it.each([
    "../v2",
    "/../../x",
    "%2e%2e/x",
    ".%2E/x",
    "a/..\\..\\b",
    "..%2f..%2fadmin",
    "..%5cadmin",
    "a%2F..%5C%2e%2e/b",
    "a%2f..",
    "%252e%252e%252fadmin",
    "a/.%2fb",
    "..;/admin",
    "..%3badmin",
  ])("does not let %s leave the base URL", async (path) => {
    await using server = await startServer(ok);
    await expect(signedTo(server.url)(path)).rejects.toMatchObject({
      code: "PROVIDER_REQUEST_ORIGIN_NOT_ALLOWED",
      reason: "leavesBasePath",
    });
    expect(server.seen).toEqual([]);
  });

  it("accepts URLs, Requests of Node and Requests of undici, whose settings init overrides", async () => {
    await using server = await startServer(ok);
    const fetch = signedTo(server.url);
    const url = `${server.url}/v1/x`;
    await fetch(new URL(url));
    await fetch(new Request(url, { method: "PUT", body: "one", headers: { "x-a": "1" } }));
    await fetch(new UndiciRequest(url, { method: "PUT", body: "two" }));
    await fetch(new Request(url, { method: "PUT", body: "three" }), {
      method: "POST",
      body: "four",
    });
    expect(
      server.seen.map(({ method, body, headers }) => [
        method,
        body,
        headers["x-a"],
        headers.authorization,
      ]),
    ).toEqual([
      ["GET", "", undefined, "Bearer access-1"],
      ["PUT", "one", "1", "Bearer access-1"],
      ["PUT", "two", undefined, "Bearer access-1"],
      ["POST", "four", undefined, "Bearer access-1"],
    ]);
  });

  it("ignores settings that are undefined, as fetch does, and a body of null beside a Request", async () => {
    await using server = await startServer(ok);
    const { url } = server;
    const request = () => new Request(url, { method: "PUT", body: "b", headers: { "x-a": "1" } });
    const nothing: object = { method: undefined, headers: undefined, body: undefined };
    await signedTo(url)(request(), nothing);
    await signedTo(url)(request(), { body: null });
    for (const seen of server.seen)
      expect(seen).toMatchObject({ method: "PUT", body: "b", headers: { "x-a": "1" } });
    expect(server.seen).toHaveLength(2);
  });

  it("does not authenticate a blob: URL with the provider's origin", async () => {
    const sent: Array<unknown> = [];
    const fetch = createAuthenticatedFetch({
      provider: providerAt("https://api.example/v1"),
      manager: managerOf(chatgpt("access-1")),
      fetch: (...call) => {
        sent.push(call);
        return Promise.resolve(new Response());
      },
    });
    await fetch("blob:https://api.example/9115d58c");
    expect(sent).toMatchObject([["blob:https://api.example/9115d58c", { headers: {} }]]);
    expect(inspect(sent, { depth: Infinity })).not.toContain("access-1");
  });

  it.each([
    (url: string) => `${url.replace("127.0.0.1", "127.0.0.1.evil.example")}/v1`,
    (url: string) => `${url.replace("http://", "http://evil.example\\@")}/v1`,
    (url: string) => `${url.replace("http://", "http://evil.example#@")}/v1`,
    (url: string) => `${url.replace("http://", "http://evil.example?@")}/v1`,
    (url: string) => url.replace(/:(\d+)$/, ":1$1/v1").replace(":1", ":"),
    (url: string) => `${url}@evil.example/v1`,
    (url: string) => `https${url.slice(4)}/v1`,
    (url: string) => `${url}.evil.example/v1`,
    (url: string) => `${url}\u0000/v1`,
  ])("sends no credential to a look-alike of the origin (%#)", async (disguise) => {
    const sent: Array<Record<string, string>> = [];
    const fetch = createAuthenticatedFetch({
      provider: providerAt("http://127.0.0.1:8080/v1"),
      manager: managerOf(chatgpt("access-1")),
      fetch: (_url, { headers }) => {
        sent.push(headers);
        return Promise.resolve(new Response());
      },
    });
    const address = disguise("http://127.0.0.1:8080");
    const parsed = URL.parse(address);
    const isSame = parsed?.origin === "http://127.0.0.1:8080" && parsed.username === "";
    await fetch(address).catch(() => {});
    expect(sent.some((headers) => "authorization" in headers)).toBe(isSame);
  });

  it("sends the credential to the provider's origin only", async () => {
    const sent: Array<string> = [];
    const fetch = createAuthenticatedFetch({
      provider: providerAt("https://api.example/v1"),
      manager: managerOf(chatgpt("access-1")),
      fetch: (url, { headers }) => {
        if ("authorization" in headers) sent.push(url);
        return Promise.resolve(new Response());
      },
    });
    const piece = fc.constantFrom(
      "https:",
      "http:",
      "//",
      "/",
      "\\",
      "@",
      ":",
      ":443",
      "?",
      "#",
      ".",
      "..",
      "%2e",
      "%2f",
      "api.example",
      "evil.example",
      "API.EXAMPLE",
      "v1",
      "\t",
      "\n",
      " ",
      "\u0000",
      "。",
      "user",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 9 }), async (pieces) => {
        sent.length = 0;
        await fetch(pieces.join("")).catch(() => {});
        for (const url of sent) expect(new URL(url).origin).toBe("https://api.example");
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    "HTTP://127.0.0.1:8080/v1",
    " http://127.0.0.1:8080/v1",
    "http:\\\\127.0.0.1:8080\\v1",
    "http://0x7f.1:8080/v1",
  ])("recognizes its origin in the spelling %j", async (address) => {
    const sent: Array<string> = [];
    const fetch = createAuthenticatedFetch({
      provider: providerAt("http://127.0.0.1:8080/v1"),
      manager: managerOf(chatgpt("access-1")),
      fetch: (url, { headers }) => {
        sent.push(`${new URL(url).host} ${headers["authorization"]}`);
        return Promise.resolve(new Response());
      },
    });
    await fetch(address);
    expect(sent).toEqual(["127.0.0.1:8080 Bearer access-1"]);
  });
});

describe("createAuthenticatedFetch: query_params", () => {
  it.each([
    ["/x", "/v1/x?v=7+8&k=%26"],
    ["/x?", "/v1/x?v=7+8&k=%26"],
    ["/x?a=%20b&flag&c=~*()%7E#part?", "/v1/x?a=%20b&flag&c=~*()%7E&v=7+8&k=%26"],
    ["/x?v=own#", "/v1/x?v=own&k=%26"],
    ["/x?k&v", "/v1/x?k&v"],
  ])("are added to %s, and nothing else changes", async (path, expected) => {
    await using server = await startServer(ok);
    const provider = providerAt(`${server.url}/v1`, {
      queryParams: { v: Redacted.make("7 8"), k: Redacted.make("&") },
    });
    await signedTo(server.url, { provider })(path);
    expect(server.seen.map(({ url }) => url)).toEqual([expected]);
  });

  it.each([
    (url: string) => `${url.replace("//", "//me@")}/v1/x`,
    (url: string) => `${url.replace("//", "//:secret@")}/v1/x`,
    () => "http://me:secret@127.0.0.1:1/x",
  ])("are in no error about an address with a user name or password (%#)", async (address) => {
    await using server = await startServer(ok);
    const provider = providerAt(`${server.url}/v1`, {
      queryParams: { "api-key": Redacted.make("canary") },
    });
    const error: unknown = await signedTo(server.url, { provider })(address(server.url)).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({
      code: "PROVIDER_REQUEST_ORIGIN_NOT_ALLOWED",
      reason: "holdsCredentials",
    });
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toMatch(/canary|secret|me@/);
    expect(server.seen).toEqual([]);
  });
});

const secretHeaders = ["authorization", "cookie", "proxy-authorization"];

const redirects =
  (location: string, status = 307): Respond =>
  (request, response) =>
    request.url.startsWith("/v1/go")
      ? answer(response, status, "moved", { location })
      : answer(response, 200, "there");

describe("createAuthenticatedFetch: redirects", () => {
  it("are followed within the origin with fresh headers, and marked", async () => {
    let nowMs = 0;
    await using server = await startServer(redirects("/v1/there"));
    const fetch = signedTo(server.url, { manager: managerOf(agent()), now: () => (nowMs += 1000) });
    const response = await fetch("/go", { method: "POST", body: "p" });
    expect([response.status, response.redirected, response.url]).toEqual([
      200,
      true,
      `${server.url}/v1/there`,
    ]);
    const seen = server.seen.map(({ headers }) => headers.authorization);
    expect(new Set(seen).size).toBe(2);
    expect(server.seen.map(({ method, body }) => [method, body])).toEqual([
      ["POST", "p"],
      ["POST", "p"],
    ]);
  });

  it("drop all credentials when the origin changes, and do not get them back", async () => {
    await using home = await startServer((request, response) =>
      request.url === "/v1/go"
        ? answer(response, 307, "", { location: `${other.url}/over` })
        : answer(response, 200),
    );
    await using other = await startServer((_request, response) =>
      answer(response, 307, "", { location: `${home.url}/v1/back` }),
    );
    const fetch = signedTo(home.url, {
      provider: providerAt(`${home.url}/v1`, { envHttpHeaders: { "api-key": "K" } }, { K: "k" }),
    });
    await fetch("/go", {
      headers: {
        authorization: "Bearer own",
        cookie: "a=1",
        "proxy-authorization": "Basic b3du",
        "x-kept": "1",
      },
    });
    expect(home.seen[0]?.headers).toMatchObject({
      authorization: "Bearer access-1",
      "api-key": "k",
    });
    for (const request of [other.seen[0], home.seen[1]]) {
      expect(request?.headers).toMatchObject({ "x-kept": "1" });
      for (const name of [...secretHeaders, "chatgpt-account-id", "api-key"])
        expect(request?.headers).not.toHaveProperty(name);
    }
  });

  it.each([
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "PUT", "GET"],
    [303, "HEAD", "HEAD"],
    [301, "PUT", "PUT"],
    [308, "POST", "POST"],
  ])("of status %i turn %s into %s", async (status, before, after) => {
    await using server = await startServer(redirects("there", status));
    const init = before === "HEAD" ? {} : { body: "p", headers: { "content-language": "en" } };
    await signedTo(server.url)("/go", { method: before, ...init });
    const [, second] = server.seen;
    expect([second?.method, second?.body]).toEqual([
      after,
      after === before && before !== "HEAD" ? "p" : "",
    ]);
    expect("content-language" in (second?.headers ?? {})).toBe(
      after === before && before !== "HEAD",
    );
  });

  it("are not followed if another account has signed in", async () => {
    const { manager, change } = switching(
      chatgpt("a", { accountId: "1" }),
      chatgpt("b", { accountId: "2" }),
    );
    await using server = await startServer((request, response, count) => {
      change();
      return redirects("/v1/there")(request, response, count);
    });
    const fetch = signedTo(server.url, { manager });
    await expect(fetch("/go", { method: "POST", body: "p" })).rejects.toMatchObject({
      code: "PROVIDER_REDIRECT_NOT_FOLLOWED",
      reason: "accountChanged",
      status: 307,
    });
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(["Bearer a"]);
  });

  it("are followed to an address in UTF-8, as fetch does", async () => {
    const utf8 = Buffer.from("/v1/müde").toString("latin1");
    await using server = await startServer(redirects(utf8));
    await signedTo(server.url)("/go");
    expect(server.seen[1]?.url).toBe("/v1/m%C3%BCde");
  });

  it("are left to the caller with redirect: manual or error", async () => {
    await using server = await startServer(redirects("/v1/there"));
    const fetch = signedTo(server.url);
    expect((await fetch("/go", { redirect: "manual" })).status).toBe(307);
    await expect(fetch("/go", { redirect: "error" })).rejects.toBeInstanceOf(TypeError);
    expect(server.seen).toHaveLength(2);
  });

  it("are refused if there are too many, or if they leave http, contain a user name, or need a stream twice", async () => {
    await using loop = await startServer(redirects("/v1/go"));
    await expect(signedTo(loop.url)("/go")).rejects.toMatchObject({
      code: "PROVIDER_REDIRECT_NOT_FOLLOWED",
      reason: "tooMany",
    });
    expect(loop.seen).toHaveLength(21);
    await using file = await startServer(redirects("file:///etc/passwd"));
    await expect(signedTo(file.url)("/go")).rejects.toMatchObject({ reason: "notHttp" });
    await using named = await startServer(redirects("http://me:secret@127.0.0.1:1/v1/there"));
    await expect(signedTo(named.url)("/go")).rejects.toMatchObject({ reason: "holdsCredentials" });
    await using again = await startServer(redirects("/v1/there"));
    const body = new Blob(["p"]).stream();
    await expect(
      signedTo(again.url)("/go", { method: "POST", body, duplex: "half" }),
    ).rejects.toMatchObject({ reason: "bodyCannotBeReplayed" });
    expect(again.seen).toHaveLength(1);
  });
});

const form = (data: FormData): FormData => {
  data.append("text", "one");
  data.append("file", new File(["inside"], "f.txt"));
  return data;
};

describe("createAuthenticatedFetch: connections", () => {
  it.each([401, 503, 307])("are not held by a long response of %i", async (status) => {
    const agent = new Agent({ connections: 1 });
    await using server = await startServer((_request, response, count) =>
      answer(response, count === 1 ? status : 200, "x".repeat(300_000), { location: "/v1/b" }),
    );
    const fetch = signedTo(server.url, {
      manager: managerOf(bearer("old"), bearer("new")),
      dispatcher: agent,
      maxRetries: 1,
      retryBaseDelayMs: 0,
    });
    const response = await fetch("/a");
    expect([response.status, (await response.text()).length]).toEqual([200, 300_000]);
    await agent.close();
  });

  it("are those of the dispatcher that a request names", async () => {
    await using server = await startServer(ok);
    const agent = new Agent();
    let connections = 0;
    agent.on("connect", () => connections++);
    const init: object = { dispatcher: agent };
    await (await signedTo(server.url)("/a", init)).text();
    expect(connections).toBe(1);
    await agent.close();
  });
});

describe("createAuthenticatedFetch: bodies", () => {
  it.each<[string, () => NonNullable<RequestInit["body"]>, RegExp]>([
    ["URLSearchParams", () => new URLSearchParams({ a: "1" }), /^a=1$/],
    ["a Blob", () => new Blob(["blob"], { type: "text/x" }), /^blob$/],
    ["an ArrayBuffer", () => new TextEncoder().encode("buffer").buffer, /^buffer$/],
    ["Node's FormData", () => form(new FormData()), /name="file"; filename="f.txt"[^]*inside/],
  ])("%s is sent again after a 401", async (_name, body, expected) => {
    await using server = await startServer((_request, response, count) =>
      answer(response, count === 1 ? 401 : 200),
    );
    const fetch = signedTo(server.url, { manager: managerOf(bearer("old"), bearer("new")) });
    expect((await fetch("/x", { method: "POST", body: body() })).status).toBe(200);
    expect(server.seen).toHaveLength(2);
    for (const request of server.seen) expect(request.body).toMatch(expected);
  });

  it("goes through a custom fetch", async () => {
    await using server = await startServer(ok);
    const fetch = signedTo(server.url, { fetch: globalThis.fetch });
    const response = await fetch("/x", { method: "POST", body: form(new FormData()) });
    expect(response).toBeInstanceOf(Response);
    expect(server.seen[0]?.headers.authorization).toBe("Bearer access-1");
    expect(server.seen[0]?.body).toContain("inside");
  });

  it("accepts Headers, pairs and repeated names", async () => {
    await using server = await startServer(ok);
    const fetch = signedTo(server.url);
    await fetch("/x", { headers: new Headers({ "X-A": "1" }) });
    await fetch("/x", {
      headers: [
        ["x-a", "1"],
        ["X-A", "2"],
      ],
    });
    expect(server.seen.map(({ headers }) => headers["x-a"])).toEqual(["1", "1, 2"]);
  });

  it("accepts numbers, and repeated cookies, which a semicolon joins", async () => {
    await using server = await startServer(ok);
    const headers: object = { "x-count": 5, Cookie: ["a=1", "b=2"] };
    await signedTo(server.url)("/x", { headers });
    await signedTo(server.url)("/x", {
      headers: [
        ["cookie", "a=1"],
        ["Cookie", "b=2"],
      ],
    });
    expect(server.seen.map((request) => request.headers.cookie)).toEqual(["a=1; b=2", "a=1; b=2"]);
    expect(server.seen[0]?.headers["x-count"]).toBe("5");
  });

  it("keeps the headers of an iterator for the attempt after a 401", async () => {
    await using server = await startServer((_request, response, count) =>
      answer(response, count === 1 ? 401 : 200),
    );
    const fetch = signedTo(server.url, { manager: managerOf(bearer("old"), bearer("new")) });
    const headers: object = new Map([["x-own", "1"]]).entries();
    expect((await fetch("/x", { headers })).status).toBe(200);
    expect(server.seen.map((request) => request.headers["x-own"])).toEqual(["1", "1"]);
  });

  it("has the type of fetch", async () => {
    await using server = await startServer(ok);
    const fetch: typeof globalThis.fetch = signedTo(server.url);
    expect((await fetch("/x")).status).toBe(200);
  });

  it("throws TypeError for invalid options", () => {
    expect(() => createAuthenticatedFetch({ provider: providerAt("http://localhost/v1") })).toThrow(
      TypeError,
    );
    expect(() => signedTo("http://localhost", { maxRetries: -1 })).toThrow(TypeError);
  });
});
