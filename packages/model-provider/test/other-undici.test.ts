import { createRequire } from "node:module";
import { HttpTransport } from "@agent-auth/agent-identity/http";
import { layer as transport } from "@agent-auth/agent-identity/http/undici";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as HttpClient from "effect/http/HttpClient";
import { type Dispatcher, fetch, request } from "undici";
import { describe, expect, it } from "vitest";
import { authInterceptor } from "../src/dispatcher/index.ts";
import * as AuthenticatedHttp from "../src/fetch/effect-http-client.ts";
import { createAuthenticatedFetch } from "../src/fetch/index.ts";
import { makeRequestSigner, RequestSigner } from "../src/signing/index.ts";
import { connectWebSocket } from "../src/websocket/index.ts";
import { bearer } from "./support/credentials.ts";
import { managerOf } from "./support/managers.ts";
import { providerAt } from "./support/providers.ts";
import { answer, startServer } from "./support/server.ts";

// The AI SDK brings its own undici 6.
const require = createRequire(import.meta.resolve("ai"));
const older: typeof import("undici") = require("undici");

/** As Bun's own `undici` makes them: without a method. */
const stub: Dispatcher = Object.create({});

const signerAt = (url: string) =>
  makeRequestSigner({ provider: providerAt(url), manager: managerOf(bearer("a")) });

type Send = (url: string, dispatcher: Dispatcher) => Promise<unknown>;

const senders: ReadonlyArray<{ readonly name: string; readonly send: Send }> = [
  {
    name: "createAuthenticatedFetch",
    send: (url, dispatcher) =>
      createAuthenticatedFetch({ signer: signerAt(url), dispatcher, maxRetries: 2 })("/a"),
  },
  {
    name: "one call of an authenticated fetch",
    send: (url, dispatcher) => {
      const init: object = { dispatcher };
      return createAuthenticatedFetch({ signer: signerAt(url) })("/a", init);
    },
  },
  {
    name: "Effect's HttpClient",
    send: (url, dispatcher) => {
      const signer = Layer.succeed(RequestSigner, signerAt(url));
      const client = Layer.provide(AuthenticatedHttp.layer({ dispatcher }), signer);
      return Effect.runPromise(
        HttpClient.get(`${url}/a`).pipe(
          Effect.mapError((error) =>
            "reason" in error ? AuthenticatedHttp.signFailure(error) : error,
          ),
          Effect.provide(client),
        ),
      );
    },
  },
  {
    name: "connectWebSocket",
    send: (url, dispatcher) => connectWebSocket({ signer: signerAt(url), url: "/a", dispatcher }),
  },
];

describe("a dispatcher of another undici", () => {
  it.each(senders)("$name rejects an Agent of undici 6 and sends nothing", async ({ send }) => {
    await using server = await startServer((_, response) => answer(response, 200));
    const agent = new older.Agent();
    await expect(send(server.url, agent)).rejects.toMatchObject({
      code: "AGENT_IDENTITY_DISPATCHER_NOT_SUPPORTED",
      reason: "olderDispatcher",
      hint: "Create it with undici 7 or later.",
    });
    await agent.close();
    expect(server.seen).toEqual([]);
  });

  it.each(senders)("$name rejects the stub that Bun has instead of an Agent", async ({ send }) => {
    await using server = await startServer((_, response) => answer(response, 200));
    await expect(send(server.url, stub)).rejects.toMatchObject({
      code: "AGENT_IDENTITY_DISPATCHER_NOT_SUPPORTED",
      reason: "notADispatcher",
      hint: expect.stringContaining('"undici/index.js"'),
    });
    expect(server.seen).toEqual([]);
  });

  it("authInterceptor says so if it is composed with an Agent of undici 6", async () => {
    await using server = await startServer((_, response) => answer(response, 200));
    const agent = new older.Agent();
    const dispatcher = agent.compose(authInterceptor({ signer: signerAt(server.url) }));
    const expected = { reason: "olderDispatcher" };
    await expect(request(server.url, { dispatcher })).rejects.toMatchObject(expected);
    await expect(fetch(server.url, { dispatcher })).rejects.toMatchObject({ cause: expected });
    await expect(older.request(server.url, { dispatcher })).rejects.toMatchObject({
      code: "AGENT_IDENTITY_DISPATCHER_NOT_SUPPORTED",
      reason: "olderFetch",
    });
    await agent.close();
    expect(server.seen).toEqual([]);
  });

  it.each([
    ["undici 6", new older.Agent(), "the dispatcher belongs to another version of undici"],
    ["Bun", stub, "the dispatcher cannot send requests"],
  ])(
    "the transport of the other packages rejects that of %s",
    async (_, dispatcher: Dispatcher, reason) => {
      await using server = await startServer((_, response) => answer(response, 200));
      const options = { originator: "tests", userAgent: "tests/1", dispatcher };
      const sent = HttpTransport.use((http) =>
        http.request({ method: "GET", url: server.url, timeoutMs: 5000 }),
      );
      await expect(
        Effect.runPromise(Effect.provide(sent, transport(options))),
      ).rejects.toMatchObject({
        code: "AGENT_IDENTITY_HTTP_CONFIGURATION_INVALID",
        causeCode: "AGENT_IDENTITY_DISPATCHER_NOT_SUPPORTED",
        message: expect.stringContaining(reason),
      });
      expect(server.seen).toEqual([]);
    },
  );
});
