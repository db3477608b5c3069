import type { Credential } from "@agent-auth/login/credential";
import * as Data from "effect/Data";
import * as Redacted from "effect/Redacted";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { RequestOptions } from "../src/authenticated-fetch.ts";
import { SignInRequired } from "../src/errors.ts";
import type { AnyAuthManager } from "../src/credential-access.ts";
import type { ModelProvider } from "../src/provider.ts";
import { makeRequestSigner, type RequestSignerOptions } from "../src/request-signer.ts";
import { agent, apiKey, bearer, chatgpt, personalAccessToken } from "./support/credentials.ts";
import { type Face, type MakeFace, textOf } from "./support/faces.ts";
import { brokenManager, managerOf, switching } from "./support/managers.ts";
import { providerAt } from "./support/providers.ts";
import { answer, type Respond, type Seen, startServer } from "./support/server.ts";

const rejection = async (one: Face, sending: Promise<unknown>): Promise<unknown> =>
  one.reason(
    await sending.then(
      () => expect.fail("it was sent"),
      (error: unknown) => error,
    ),
  );

const statuses =
  (...list: ReadonlyArray<number>): Respond =>
  (_request, response, count) => {
    answer(response, list[Math.min(count, list.length) - 1] ?? 500, `answer ${count}`);
  };

const authorizations = (server: { readonly seen: ReadonlyArray<Seen> }) =>
  server.seen.map((request) => request.headers.authorization);

const whoSaidWhat = (server: { readonly seen: ReadonlyArray<Seen> }) =>
  server.seen.map(({ headers, body }) => [headers.authorization, body]);

const command = (script: string, timeoutMs = 5_000): Partial<Parameters<typeof providerAt>[1]> => ({
  requiresOpenaiAuth: false,
  auth: {
    command: process.execPath,
    args: [Redacted.make("-e"), Redacted.make(script)],
    timeoutMs,
    refreshIntervalMs: 0,
  },
});

class StoreBroken extends Data.TaggedError("StoreBroken")<{}> {
  readonly code = "LOGIN_STORE_BROKEN";
  readonly hint = "Mend it.";
}

/** What every face promises. `name` is the function that a reader looks for. */
export const faceContract = (name: string, make: MakeFace): void => {
  const open: Array<Face> = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((face) => face.close()));
  });
  const face = (options: RequestSignerOptions & RequestOptions): Face => {
    const { provider, manager, now, ...requests } = options;
    const signer = makeRequestSigner({
      provider,
      ...(manager === undefined ? {} : { manager }),
      ...(now === undefined ? {} : { now }),
    });
    const made = make({ signer, ...requests });
    open.push(made);
    return made;
  };

  describe(`${name}: headers`, () => {
    it("carries the credential, the account and what the provider adds", async () => {
      await using server = await startServer(statuses(200));
      const provider = providerAt(
        `${server.url}/v1`,
        {
          envHttpHeaders: { "X-Team": "TEAM" },
          queryParams: { "api-version": Redacted.make("7"), x: Redacted.make("provider") },
        },
        { TEAM: "blue" },
      );
      const one = face({ provider, manager: managerOf(chatgpt("access-1")) });
      const got = await one.send(`${server.url}/v1/responses?x=caller`, {
        method: "POST",
        headers: { "content-type": "text/plain", "x-own": "1" },
        body: "hi",
      });
      expect([got.status, await textOf(got)]).toEqual([200, "answer 1"]);
      expect(server.seen).toMatchObject([
        {
          method: "POST",
          url: "/v1/responses?x=caller&api-version=7",
          body: "hi",
          headers: {
            authorization: "Bearer access-1",
            "chatgpt-account-id": "acc-1",
            "x-team": "blue",
            "x-own": "1",
            "content-type": "text/plain",
          },
        },
      ]);
    });

    it("replaces a caller's own identity, whichever way it is spelt, and yields other headers", async () => {
      await using server = await startServer(statuses(200));
      const provider = providerAt(
        server.url,
        { envHttpHeaders: { "X-Team": "TEAM" } },
        { TEAM: "blue" },
      );
      const one = face({ provider, manager: managerOf(apiKey("sk-real")) });
      await one.send(`${server.url}/x`, {
        headers: {
          AUTHORIZATION: "Bearer placeholder",
          "ChatGPT-Account-Id": "someone",
          "x-team": "red",
        },
      });
      expect(server.seen[0]?.headers).toMatchObject({
        authorization: "Bearer sk-real",
        "x-team": "red",
      });
      expect(server.seen[0]?.headers).not.toHaveProperty("chatgpt-account-id");
    });

    it("leaves a caller's headers alone where the provider needs no credential", async () => {
      await using server = await startServer(statuses(200));
      const one = face({ provider: providerAt(server.url, { requiresOpenaiAuth: false }) });
      await one.send(`${server.url}/x`, { headers: { authorization: "Bearer own" } });
      await one.send(`${server.url}/x`);
      expect(authorizations(server)).toEqual(["Bearer own", undefined]);
    });

    it("signs every attempt for its own second", async () => {
      await using server = await startServer(statuses(503, 503, 200));
      let nowMs = 5_000;
      const one = face({
        provider: providerAt(server.url),
        manager: managerOf(agent("task-1")),
        now: () => (nowMs += 1_000),
        maxRetries: 2,
        retryBaseDelayMs: 0,
      });
      await one.send(`${server.url}/x`);
      const seen = authorizations(server);
      expect(seen).toHaveLength(3);
      expect(new Set(seen).size).toBe(3);
      expect(seen.every((value) => value?.startsWith("AgentAssertion task-1."))).toBe(true);
    });
  });

  describe(`${name}: a 401`, () => {
    it.each([
      ["text", "prompt"],
      ["bytes", new TextEncoder().encode("prompt")],
    ])("is mended, and a body of %s is sent again", async (_kind, body) => {
      await using server = await startServer(statuses(401, 200));
      const manager = managerOf(bearer("old"), bearer("new"));
      const one = face({ provider: providerAt(server.url), manager });
      const got = await one.send(`${server.url}/x`, { method: "POST", body });
      expect([got.status, await textOf(got)]).toEqual([200, "answer 2"]);
      expect(authorizations(server)).toEqual(["Bearer old", "Bearer new"]);
      expect(server.seen.map((request) => request.body)).toEqual(["prompt", "prompt"]);
    });

    it("is mended at most twice, and then the caller's to read", async () => {
      await using server = await startServer(statuses(401));
      const manager = managerOf(bearer("a"), bearer("b"), bearer("c"), bearer("d"));
      const one = face({ provider: providerAt(server.url), manager });
      const got = await one.send(`${server.url}/x`);
      expect([got.status, await textOf(got)]).toEqual([401, "answer 3"]);
      expect(authorizations(server)).toEqual(["Bearer a", "Bearer b", "Bearer c"]);
    });

    it("is handed over where nothing more can be done", async () => {
      await using server = await startServer(statuses(401));
      const one = face({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      const got = await one.send(`${server.url}/x`, { method: "POST", body: "p" });
      expect([got.status, await textOf(got), server.seen.length]).toEqual([401, "answer 1", 1]);
    });

    it("is handed over whole where its body is long", async () => {
      const long = "x".repeat(300_000);
      await using server = await startServer((_request, response) => answer(response, 401, long));
      const one = face({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      expect(await textOf(await one.send(`${server.url}/x`))).toBe(long);
    });

    it("is handed over where mending fails, and the reason is told", async () => {
      await using server = await startServer(statuses(401));
      const told: Array<string> = [];
      const manager = {
        ...managerOf(chatgpt()),
        recoverUnauthorized: () => Promise.reject(new SignInRequired({ providerId: "x" })),
      };
      const one = face({
        provider: providerAt(server.url),
        manager,
        onRecoveryFailed: (error) => told.push(error.code),
      });
      const got = await one.send(`${server.url}/x`);
      expect([got.status, await textOf(got), told]).toEqual([
        401,
        "answer 1",
        ["PROVIDER_SIGN_IN_REQUIRED"],
      ]);
    });

    it("does not send a stream twice, but mends the identity for the next request", async () => {
      await using server = await startServer(statuses(401, 200));
      const manager = managerOf(bearer("old"), bearer("new"));
      const one = face({ provider: providerAt(server.url), manager });
      const got = await one.send(`${server.url}/x`, { method: "POST", body: parts("pro", "mpt") });
      expect([got.status, await textOf(got)]).toEqual([401, "answer 1"]);
      expect((await one.send(`${server.url}/x`)).status).toBe(200);
      expect(authorizations(server)).toEqual(["Bearer old", "Bearer new"]);
      expect(server.seen[0]?.body).toBe("prompt");
    });

    it("met by 2,000 requests at once causes one recovery", { timeout: 60_000 }, async () => {
      await using server = await startServer((request, response) =>
        answer(response, request.headers.authorization === "Bearer new" ? 200 : 401),
      );
      const manager = managerOf(bearer("old"), bearer("new"), bearer("newer"));
      const one = face({ provider: providerAt(server.url), manager });
      const all = await Promise.all(
        Array.from({ length: 2_000 }, async () => {
          const got = await one.send(`${server.url}/x`, { method: "POST", body: "p" });
          await textOf(got);
          return got.status;
        }),
      );
      expect(new Set(all)).toEqual(new Set([200]));
      expect(manager.recoveries()).toBe(1);
    });
  });

  describe(`${name}: retries`, () => {
    it("are as many as configured, on 5xx and 429", async () => {
      await using server = await startServer(statuses(500, 429, 502, 200));
      const provider = providerAt(server.url, { requestMaxRetries: 3 });
      const one = face({ provider, manager: managerOf(apiKey()), retryBaseDelayMs: 0 });
      const got = await one.send(`${server.url}/x`, { method: "POST", body: "p" });
      expect([got.status, server.seen.map((request) => request.body)]).toEqual([
        200,
        ["p", "p", "p", "p"],
      ]);
    });

    it("are none where none are configured, none of other statuses, none of a stream", async () => {
      await using server = await startServer(statuses(503, 404, 503));
      const without = face({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      expect((await without.send(`${server.url}/x`)).status).toBe(503);
      const one = face({
        provider: providerAt(server.url),
        manager: managerOf(apiKey()),
        maxRetries: 3,
      });
      expect((await one.send(`${server.url}/x`)).status).toBe(404);
      const streamed = await one.send(`${server.url}/x`, { method: "POST", body: parts("p") });
      expect([streamed.status, server.seen.length]).toEqual([503, 3]);
    });

    it("end with the last answer", async () => {
      await using server = await startServer(statuses(503));
      const provider = providerAt(server.url);
      const one = face({
        provider,
        manager: managerOf(apiKey()),
        maxRetries: 2,
        retryBaseDelayMs: 0,
      });
      const got = await one.send(`${server.url}/x`);
      expect([got.status, await textOf(got)]).toEqual([503, "answer 3"]);
    });

    it("wait as Retry-After says, but not longer than the caller allows", async () => {
      await using server = await startServer((_request, response, count) =>
        answer(response, count === 2 ? 200 : 503, "", { "retry-after": count === 1 ? "0" : "61" }),
      );
      const provider = providerAt(server.url);
      const one = face({
        provider,
        manager: managerOf(apiKey()),
        maxRetries: 3,
        retryBaseDelayMs: 60_000,
      });
      expect((await one.send(`${server.url}/x`)).status).toBe(200);
      expect((await one.send(`${server.url}/x`)).status).toBe(503);
      expect(server.seen).toHaveLength(3);
    });

    it("follow a connection that broke", async () => {
      await using server = await startServer((_request, response, count) => {
        if (count === 1) response.destroy();
        else answer(response, 200);
      });
      const provider = providerAt(server.url);
      const one = face({
        provider,
        manager: managerOf(apiKey()),
        maxRetries: 1,
        retryBaseDelayMs: 0,
      });
      const got = await one.send(`${server.url}/x`, { method: "POST", body: "p" });
      expect([got.status, server.seen.length]).toEqual([200, 2]);
    });

    it("leave a broken connection's error to the caller where none are configured", async () => {
      await using server = await startServer((_request, response) => {
        response.destroy();
      });
      const one = face({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      await expect(one.send(`${server.url}/x`)).rejects.toBeInstanceOf(Error);
      expect(server.seen).toHaveLength(1);
    });
  });

  describe(`${name}: another account that signs in between two attempts`, () => {
    const post = { method: "POST", body: "of the first" } as const;
    const others: ReadonlyArray<readonly [string, Credential, Credential]> = [
      ["another account", chatgpt("a", { accountId: "1" }), chatgpt("b", { accountId: "2" })],
      ["another person", chatgpt("a", { userId: "1" }), chatgpt("b", { userId: "2" })],
      ["another kind", chatgpt("a"), personalAccessToken("b")],
      ["another API key", apiKey("a"), apiKey("b")],
    ];

    it.each(others)("gets no retry: %s", async (_which, before, after) => {
      const { manager, change } = switching(before, after);
      await using server = await startServer((_request, response, count) => {
        change();
        answer(response, 503, `answer ${count}`);
      });
      const provider = providerAt(server.url, { requestMaxRetries: 2 });
      const one = face({ provider, manager, retryBaseDelayMs: 0 });
      const got = await one.send(`${server.url}/x`, post);
      expect([got.status, await textOf(got)]).toEqual([503, "answer 1"]);
      expect(whoSaidWhat(server)).toEqual([["Bearer a", "of the first"]]);
    });

    it.each(others)("gets no retry where it shows late: %s", async (_which, before, after) => {
      const { manager, change } = switching(before, after);
      await using server = await startServer((_request, response) => {
        change();
        answer(response, 503);
      });
      const { snapshot: _none, ...slow } = manager;
      const provider = providerAt(server.url, { requestMaxRetries: 2 });
      const one = face({ provider, manager: slow, retryBaseDelayMs: 0 });
      expect(await rejection(one, one.send(`${server.url}/x`, post))).toMatchObject({
        code: "PROVIDER_ACCOUNT_CHANGED",
        status: 503,
      });
      expect(whoSaidWhat(server)).toEqual([["Bearer a", "of the first"]]);
    });

    it("gets no retry after a broken connection", async () => {
      const { manager, change } = switching(apiKey("a"), apiKey("b"));
      await using server = await startServer((_request, response) => {
        change();
        response.destroy();
      });
      const provider = providerAt(server.url, { requestMaxRetries: 2 });
      const one = face({ provider, manager, retryBaseDelayMs: 0 });
      const error = await rejection(one, one.send(`${server.url}/x`, post));
      expect(error).toMatchObject({ code: "PROVIDER_ACCOUNT_CHANGED" });
      expect(error).not.toHaveProperty("status");
      expect(whoSaidWhat(server)).toEqual([["Bearer a", "of the first"]]);
    });

    it.each(others)("gets no repetition after a 401: %s", async (_which, before, after) => {
      const { manager } = switching(before, after);
      await using server = await startServer(statuses(401, 200));
      const one = face({ provider: providerAt(server.url), manager });
      const got = await one.send(`${server.url}/x`, post);
      expect([got.status, await textOf(got)]).toEqual([401, "answer 1"]);
      expect(whoSaidWhat(server)).toEqual([["Bearer a", "of the first"]]);
    });

    it("is none where the same account has a new token", async () => {
      const { manager, change } = switching(chatgpt("a", { userId: "1" }), chatgpt("b"));
      await using server = await startServer((_request, response, count) => {
        change();
        answer(response, count === 1 ? 503 : 200);
      });
      const provider = providerAt(server.url, { requestMaxRetries: 2 });
      const one = face({ provider, manager, retryBaseDelayMs: 0 });
      expect((await one.send(`${server.url}/x`, post)).status).toBe(200);
      expect(whoSaidWhat(server)).toEqual([
        ["Bearer a", "of the first"],
        ["Bearer b", "of the first"],
      ]);
    });
  });

  describe(`${name}: nothing is sent`, () => {
    const cases: ReadonlyArray<
      readonly [
        string,
        (url: string) => { provider: ModelProvider; manager?: AnyAuthManager },
        string,
      ]
    > = [
      [
        "nobody is signed in",
        (url) => ({ provider: providerAt(url), manager: managerOf(null) }),
        "PROVIDER_SIGN_IN_REQUIRED",
      ],
      [
        "the load fails",
        (url) => ({ provider: providerAt(url), manager: brokenManager(new StoreBroken()) }),
        "LOGIN_STORE_BROKEN",
      ],
      [
        "somebody else's manager fails",
        (url) => ({ provider: providerAt(url), manager: brokenManager(new RangeError("x")) }),
        "PROVIDER_CREDENTIAL_UNAVAILABLE",
      ],
      [
        "the token is no header value",
        (url) => ({ provider: providerAt(url), manager: managerOf(apiKey("a\nb")) }),
        "PROVIDER_ILLEGAL_HEADER",
      ],
      [
        "the key does not sign",
        (url) => ({
          provider: providerAt(url),
          manager: managerOf(
            agent("t", () => {
              throw new Error("no");
            }),
          ),
        }),
        "PROVIDER_SIGNING_FAILED",
      ],
      [
        "the command fails",
        (url) => ({ provider: providerAt(url, command("process.exit(1)")) }),
        "PROVIDER_TOKEN_COMMAND_FAILED",
      ],
      [
        "the command hangs",
        (url) => ({ provider: providerAt(url, command("setInterval(()=>{},1e3)", 100)) }),
        "PROVIDER_TOKEN_COMMAND_FAILED",
      ],
      [
        "the command prints two lines",
        (url) => ({ provider: providerAt(url, command('console.log("a\\nb")')) }),
        "PROVIDER_ILLEGAL_HEADER",
      ],
    ];
    it.each(cases)("where %s", async (_when, options, code) => {
      await using server = await startServer(statuses(200));
      const one = face({ ...options(server.url), maxRetries: 2, retryBaseDelayMs: 0 });
      const error = await rejection(
        one,
        one.send(`${server.url}/x`, { method: "POST", body: "prompt" }),
      );
      expect(error).toMatchObject({ code });
      expect(server.seen).toEqual([]);
    });
  });

  describe(`${name}: TRACE`, () => {
    it.each([
      ["at once", managerOf(chatgpt())],
      ["after a wait", { ...managerOf(chatgpt()), snapshot: () => null }],
    ])("is refused, since its answer repeats the headers: %s", async (_when, manager) => {
      await using server = await startServer(statuses(200));
      const one = face({ provider: providerAt(server.url), manager });
      const error = await rejection(one, one.send(`${server.url}/x`, { method: "TRACE" }));
      expect(error).toMatchObject({ code: "PROVIDER_METHOD_REFUSED", method: "TRACE" });
      expect(server.seen).toEqual([]);
    });
  });

  describe(`${name}: other origins`, () => {
    it("get requests without the identity and without the provider's headers", async () => {
      await using home = await startServer(statuses(200));
      await using other = await startServer(statuses(401));
      const provider = providerAt(
        home.url,
        { envHttpHeaders: { "api-key": "K" } },
        { K: "secret" },
      );
      const manager = managerOf(chatgpt(), chatgpt("access-2"));
      const one = face({ provider, manager });
      expect((await one.send(`${other.url}/x`, { headers: { "x-own": "1" } })).status).toBe(401);
      expect(other.seen).toHaveLength(1);
      expect(other.seen[0]?.headers).toMatchObject({ "x-own": "1" });
      for (const header of ["authorization", "chatgpt-account-id", "api-key"])
        expect(other.seen[0]?.headers).not.toHaveProperty(header);
      expect(manager.recoveries()).toBe(0);
    });

    it("get nothing at all where the caller says so", async () => {
      await using home = await startServer(statuses(200));
      await using other = await startServer(statuses(200));
      const one = face({
        provider: providerAt(home.url),
        manager: managerOf(apiKey()),
        otherOrigins: "refuse",
      });
      expect(await rejection(one, one.send(`${other.url}/x`))).toMatchObject({
        code: "PROVIDER_OUTSIDE_PROVIDER",
        origin: other.url,
      });
      expect(other.seen).toEqual([]);
    });
  });

  describe(`${name}: aborting`, () => {
    it("ends the wait for a credential, and sends nothing", async () => {
      await using server = await startServer(statuses(200));
      const asked = Promise.withResolvers<void>();
      const one = face({
        provider: providerAt(server.url),
        manager: {
          current: () => {
            asked.resolve();
            return new Promise(() => {});
          },
          recoverUnauthorized: () => Promise.resolve(null),
        },
      });
      const controller = new AbortController();
      const sending = one.send(`${server.url}/x`, { signal: controller.signal });
      await asked.promise;
      controller.abort(new Error("changed my mind"));
      await expect(sending).rejects.toBeInstanceOf(Error);
      expect(server.seen).toEqual([]);
    });

    it("ends a request that is under way", async () => {
      const arrived = Promise.withResolvers<void>();
      await using server = await startServer(() => arrived.resolve());
      const one = face({
        provider: providerAt(server.url),
        manager: managerOf(apiKey()),
        maxRetries: 3,
      });
      const controller = new AbortController();
      const sending = one.send(`${server.url}/x`, { signal: controller.signal });
      await arrived.promise;
      controller.abort();
      await expect(sending).rejects.toBeInstanceOf(Error);
      expect(server.seen).toHaveLength(1);
    });

    it("ends the wait before a retry", async () => {
      const arrived = Promise.withResolvers<void>();
      await using server = await startServer((_request, response) => {
        answer(response, 503);
        response.on("close", () => arrived.resolve());
      });
      const one = face({
        provider: providerAt(server.url),
        manager: managerOf(apiKey()),
        maxRetries: 3,
        retryBaseDelayMs: 50_000,
      });
      const controller = new AbortController();
      const sending = one.send(`${server.url}/x`, { signal: controller.signal });
      await arrived.promise;
      controller.abort();
      await expect(sending).rejects.toBeInstanceOf(Error);
      expect(server.seen).toHaveLength(1);
    });

    it("ends the wait for a recovery", async () => {
      await using server = await startServer(statuses(401));
      const asked = Promise.withResolvers<void>();
      const manager = {
        ...managerOf(bearer("old")),
        recoverUnauthorized: () => {
          asked.resolve();
          return new Promise<null>(() => {});
        },
      };
      const one = face({ provider: providerAt(server.url), manager });
      const controller = new AbortController();
      const sending = one.send(`${server.url}/x`, { signal: controller.signal });
      await asked.promise;
      controller.abort();
      await expect(sending).rejects.toBeInstanceOf(Error);
    });
  });

  describe(`${name}: streaming`, () => {
    it("hands over each part of an answer as it comes", async () => {
      const proceed = Promise.withResolvers<void>();
      await using server = await startServer(async (_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write("data: one\n\n");
        await proceed.promise;
        response.end("data: two\n\n");
      });
      const one = face({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      const got = await one.send(`${server.url}/x`, { method: "POST", body: "p" });
      const seen: Array<string> = [];
      for await (const part of got.chunks) {
        seen.push(Buffer.from(part).toString());
        proceed.resolve();
      }
      expect(seen).toEqual(["data: one\n\n", "data: two\n\n"]);
    });

    it("sends each part of a body as it is made", async () => {
      const spy = vi.fn<() => void>();
      await using server = await startServer((request, response) =>
        answer(response, 200, request.body),
      );
      const one = face({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      async function* body() {
        yield new TextEncoder().encode("one ");
        spy();
        yield new TextEncoder().encode("two");
      }
      const got = await one.send(`${server.url}/x`, { method: "POST", body: body() });
      expect([await textOf(got), spy.mock.calls.length]).toEqual(["one two", 1]);
      expect(server.seen[0]?.headers).toMatchObject({ "transfer-encoding": "chunked" });
    });
  });
};

async function* parts(...texts: ReadonlyArray<string>): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield new TextEncoder().encode(text);
}
