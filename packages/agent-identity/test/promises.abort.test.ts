// Calls that end early: aborted by their signal, or by close().
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { makeAssertionSigner } from "../src/assertion/index.ts";
import { ClientClosed } from "../src/errors/index.ts";
import {
  createAgentIdentity,
  createAssertionVerifier,
  generateAgentKey,
} from "../src/promises/index.ts";
import { loopbackServer } from "./loopback-server.ts";
import { makeSigningKey, mint } from "./mint.ts";

const key = makeSigningKey("key-1");
const http = { originator: "tests", userAgent: "tests/1" };
const jwt = () => mint(key, { exp: Math.floor(Date.now() / 1000) + 3600 });

/** A server that responds on request, a client of its JWKS, and a promise of its first request. */
const setUp = Effect.gen(function* () {
  const came = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const server = yield* loopbackServer((_, __, response) => {
    came.resolve();
    void answer.promise.then(() => response.end(JSON.stringify({ keys: [key.jwk] })));
  });
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => createAgentIdentity({ http, jwks: { url: `${server.url}/jwks` } })),
    ({ close }) => Effect.promise(close),
  );
  return { server, client, came: came.promise, answer: answer.resolve };
});

describe("an aborted call", () => {
  it.live("rejects with the reason of its signal and leaves the shared request running", () =>
    Effect.gen(function* () {
      const { server, client, came, answer } = yield* setUp;
      yield* Effect.promise(async () => {
        const aborts = [new AbortController(), new AbortController()];
        const [first, second, third] = [aborts[0], undefined, aborts[1]].map(async (abort) =>
          client.verifyAgentIdentityJwt(await jwt(), {}, abort && { signal: abort.signal }),
        );
        await came;
        aborts[0]?.abort();
        aborts[1]?.abort(new TypeError("mine"));
        await expect(first).rejects.toMatchObject({ name: "AbortError" });
        await expect(third).rejects.toThrow(new TypeError("mine"));
        answer();
        expect(await second).toMatchObject({ kid: "key-1" });
        expect(server.arrived).toHaveLength(1);
      });
    }).pipe(Effect.scoped),
  );

  it.live("makes no request if it was aborted before it began", () =>
    Effect.gen(function* () {
      const { server, client, answer } = yield* setUp;
      yield* Effect.promise(async () => {
        answer();
        await client.verifyAgentIdentityJwt(await jwt());
        const identity = {
          agent: { agentRuntimeId: "agent-1" },
          key: await generateAgentKey(),
          taskApiBaseUrl: server.url,
        };
        const signal = AbortSignal.abort(new TypeError("mine"));
        await expect(client.task(identity, { signal })).rejects.toThrow(new TypeError("mine"));
        // A request that had been sent would have arrived before this one.
        const other = { ...identity, agent: { agentRuntimeId: "agent-2" } };
        await client.task(other).catch(() => undefined);
      });
      expect(server.arrived).toHaveLength(2);
    }).pipe(Effect.scoped),
  );

  it("aborts the look-up in progress", async () => {
    const asked = Promise.withResolvers<AbortSignal>();
    await using verifier = createAssertionVerifier({
      findPublicKey: (_, signal) => {
        asked.resolve(signal);
        return new Promise(() => undefined);
      },
      isKnownTask: null,
    });
    const abort = new AbortController();
    const verifying = verifier.verify(await header(), { signal: abort.signal });
    const signal = await asked.promise;
    expect(signal.aborted).toBe(false);
    abort.abort();
    await expect(verifying).rejects.toMatchObject({ name: "AbortError" });
    expect(signal.aborted).toBe(true);
  });
});

const header = async () => {
  const agentKey = await generateAgentKey();
  return makeAssertionSigner({
    key: agentKey,
    agentRuntimeId: "agent-1",
    taskId: "task-1",
  }).authorizationAt(Date.now());
};

/** Observes a call before it is aborted. */
const errorOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("close()", () => {
  it("makes later calls reject and may be called again", async () => {
    const client = createAgentIdentity({ http, jwks: { keys: [] } });
    await client.close();
    await client.close();
    await expect(client.verifyAgentIdentityJwt("x")).rejects.toBeInstanceOf(ClientClosed);
    const verifier = createAssertionVerifier({
      findPublicKey: async () => null,
      isKnownTask: null,
    });
    await verifier.close();
    await expect(verifier.verify("AgentAssertion x")).rejects.toMatchObject({
      code: "AGENT_IDENTITY_CLIENT_CLOSED",
    });
  });

  it("aborts a look-up", async () => {
    const verifier = createAssertionVerifier({
      findPublicKey: () => new Promise(() => undefined),
      isKnownTask: null,
    });
    const verifying = errorOf(verifier.verify(await header()));
    await verifier.close();
    expect(await verifying).toBeInstanceOf(ClientClosed);
  });

  it.live("aborts all calls that wait for a JWKS", () =>
    Effect.gen(function* () {
      const { client, came } = yield* setUp;
      yield* Effect.promise(async () => {
        const token = await jwt();
        const calls = [1, 2].map(() => errorOf(client.verifyAgentIdentityJwt(token)));
        await came;
        await client.close();
        for (const call of calls) expect(await call).toBeInstanceOf(ClientClosed);
      });
    }).pipe(Effect.scoped),
  );
});
