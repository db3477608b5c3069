import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Tracer from "effect/Tracer";
import * as HttpClient from "effect/http/HttpClient";
import { Agent } from "undici";
import { describe, expect, it } from "vitest";
import { authInterceptor } from "../src/dispatcher/index.ts";
import { SignInRequired } from "../src/errors/index.ts";
import * as AuthenticatedHttp from "../src/fetch/effect-http-client.ts";
import { createAuthenticatedFetch } from "../src/fetch/index.ts";
import { warningContext } from "@agent-auth/agent-identity/promises/caller-context";
import { RequestSigner } from "../src/signing/index.ts";
import { createHeaderSource } from "../src/signing/headers.ts";
import { makeRequestSigner } from "../src/signing/request-signer.ts";
import { bearer } from "./support/credentials.ts";
import { managerOf } from "./support/managers.ts";
import { providerAt } from "./support/providers.ts";
import { answer, startServer } from "./support/server.ts";

/** A tracer that keeps its spans. */
const recordingTracer = () => {
  const spans: Array<Tracer.Span> = [];
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options);
      spans.push(span);
      return span;
    },
  });
  const ofSigner = () =>
    spans
      .filter(({ name }) => name.startsWith("RequestSigner."))
      .map(({ name, attributes, parent }) => ({
        name,
        attributes: Object.fromEntries(attributes),
        parent: Option.getOrNull(
          Option.map(parent, (one) => (one._tag === "Span" ? one.name : "")),
        ),
      }));
  return { tracer, ofSigner };
};

const expected = (parent: string | null) => [
  { name: "RequestSigner.sign", attributes: { "credential.kind": "Bearer" }, parent },
  {
    name: "RequestSigner.recover",
    attributes: { "credential.kind": "Bearer", recovered: true },
    parent,
  },
];

/** A provider that refuses the first attempt, and a manager that has to be asked. */
const startRefusing = async () => {
  const server = await startServer((_request, response, count) =>
    answer(response, count === 1 ? 401 : 200),
  );
  const manager = { ...managerOf(bearer("a"), bearer("b")), snapshot: () => null };
  return {
    url: `${server.url}/x`,
    origin: server.url,
    signer: makeRequestSigner({ provider: providerAt(server.url), manager }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
};

describe("the caller's tracer gets the spans of signing and recovery", () => {
  it("of an authenticated fetch", async () => {
    await using server = await startRefusing();
    const { tracer, ofSigner } = recordingTracer();
    const context = Context.make(Tracer.Tracer, tracer);
    const { signer, url } = server;
    expect((await createAuthenticatedFetch({ signer, context })(url)).status).toBe(200);
    expect(ofSigner()).toEqual(expected(null));
  });

  it("of an interceptor", async () => {
    await using server = await startRefusing();
    const { tracer, ofSigner } = recordingTracer();
    const context = Context.make(Tracer.Tracer, tracer);
    const agent = new Agent();
    const dispatcher = agent.compose(authInterceptor({ signer: server.signer, context }));
    const request = { origin: server.origin, path: "/x", method: "GET" } as const;
    expect((await dispatcher.request(request)).statusCode).toBe(200);
    expect(ofSigner()).toEqual(expected(null));
    await agent.destroy();
  });

  it("of a header source", async () => {
    await using server = await startRefusing();
    const { tracer, ofSigner } = recordingTracer();
    const context = Context.make(Tracer.Tracer, tracer);
    const source = createHeaderSource({ signer: server.signer, context });
    await source.recover(await source.sign());
    expect(ofSigner()).toEqual(expected(null));
  });

  it("of Effect's HttpClient, below the caller's span", async () => {
    await using server = await startRefusing();
    const { tracer, ofSigner } = recordingTracer();
    const program = HttpClient.get(server.url).pipe(
      Effect.withSpan("caller"),
      Effect.provide(
        Layer.provide(AuthenticatedHttp.layer(), Layer.succeed(RequestSigner, server.signer)),
      ),
      Effect.provideService(Tracer.Tracer, tracer),
    );
    expect((await Effect.runPromise(program)).status).toBe(200);
    expect(ofSigner()).toEqual(expected("caller"));
  });
});

describe("a failed recovery", () => {
  it("is a warning of the caller's logger in Effect's HttpClient", async () => {
    await using server = await startServer((_request, response) => answer(response, 401));
    const manager = {
      ...managerOf(bearer("a")),
      recoverUnauthorized: () => Promise.reject(new SignInRequired({ providerId: "x" })),
    };
    const signer = makeRequestSigner({ provider: providerAt(server.url), manager });
    const warnings: Array<string> = [];
    const program = HttpClient.get(`${server.url}/x`).pipe(
      Effect.provide(
        Layer.provide(AuthenticatedHttp.layer(), Layer.succeed(RequestSigner, signer)),
      ),
      Effect.provideContext(warningContext((message) => warnings.push(message))),
    );
    expect((await Effect.runPromise(program)).status).toBe(401);
    expect(warnings).toEqual([expect.stringContaining("(PROVIDER_SIGN_IN_REQUIRED). Sign in.")]);
  });
});
