// What callers provide (look-ups, keys, stores, caches) is checked: a value of the wrong type is a typed error, never an
// accepted assertion or token, and never a crash.
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as TestClock from "effect/testing/TestClock";
import { makeAssertionSigner } from "../src/assertion/index.ts";
import {
  AgentPublicKeys,
  AssertionReplayStore,
  verifyAgentAssertion,
} from "../src/assertion/verifier.ts";
import { JwksCache } from "../src/jwks/cache.ts";
import { JwksSource } from "../src/jwks/index.ts";
import { layer as remoteJwks } from "../src/jwks/remote.ts";
import { verifyAgentIdentityJwt } from "../src/jwt/index.ts";
import { generateAgentKey, importAgentKey } from "../src/keys/index.ts";
import { createAgentIdentity, createAssertionVerifier } from "../src/promises/index.ts";
import { json, makeFakeTransport } from "./fake-transport.ts";
import { makeSigningKey, mint, nowMs } from "./mint.ts";
import { untyped } from "./untyped.ts";

const signFor = Effect.fnUntraced(function* (agentRuntimeId: string) {
  const key = yield* generateAgentKey;
  const signer = makeAssertionSigner({ key, agentRuntimeId, taskId: "task-1" });
  return { key, header: signer.authorizationAt(nowMs) };
});
const lookupFailed = "AGENT_IDENTITY_ASSERTION_LOOKUP_FAILED";

/** Values that a program without types may return in place of a boolean. */
const notBooleans: ReadonlyArray<readonly [string, () => unknown]> = [
  ["a Promise of true", () => Promise.resolve(true)],
  ["a Promise that rejects", () => Promise.reject(new Error("later"))],
  ['"no"', () => "no"],
  ["{ok: false}", () => ({ ok: false })],
  ["[]", () => []],
  ["1", () => 1],
  ["a function", () => () => true],
];

describe("verify of a custom public key", () => {
  const verifyWith = Effect.fnUntraced(function* (verify: () => unknown) {
    yield* TestClock.setTime(nowMs);
    const { header } = yield* signFor("agent-1");
    const key = untyped({ raw: new Uint8Array(32), ssh: "", verify });
    const keys = AgentPublicKeys.layerMemory(new Map([["agent-1", key]]));
    return yield* verifyAgentAssertion(header, { isKnownTask: null }).pipe(Effect.provide(keys));
  });

  it.effect.each(notBooleans)("that returns %s rejects the assertion", ([, value]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(verifyWith(value));
      expect(error).toMatchObject({ code: lookupFailed, service: "AgentPublicKeys" });
    }),
  );

  it.effect.each([false, undefined, null])("that returns %s is an invalid signature", (value) =>
    Effect.gen(function* () {
      const { code } = yield* Effect.flip(verifyWith(() => value));
      expect(code).toBe("AGENT_IDENTITY_ASSERTION_SIGNATURE_INVALID");
    }),
  );

  it.effect("that throws rejects the assertion without the thrown message", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        verifyWith(() => {
          throw new Error("canary");
        }),
      );
      expect(error).toMatchObject({ code: lookupFailed });
      expect(error.message).not.toContain("canary");
    }),
  );

  it.effect("that returns true accepts the assertion", () =>
    Effect.gen(function* () {
      expect(yield* verifyWith(() => true)).toMatchObject({ agentRuntimeId: "agent-1" });
    }),
  );
});

describe("a look-up of public keys in a plain object", () => {
  it.each(["constructor", "__proto__", "toString", "valueOf", "hasOwnProperty"])(
    "rejects an assertion of the agent %s",
    async (agentRuntimeId) => {
      const { header } = await Effect.runPromise(
        Effect.gen(function* () {
          const key = yield* generateAgentKey;
          const signer = makeAssertionSigner({ key, agentRuntimeId, taskId: "task-1" });
          return { header: signer.authorizationAt(Date.now()) };
        }),
      );
      const registry: Record<string, string> = { "agent-1": "ssh-ed25519 AAAA" };
      await using verifier = createAssertionVerifier({
        findPublicKey: async (id) => registry[id],
        isKnownTask: null,
      });
      await expect(verifier.verify(header)).rejects.toMatchObject({
        code: lookupFailed,
        service: "AgentPublicKeys",
      });
    },
  );

  it.effect.each<readonly [string, () => unknown]>([
    ["a Promise", () => Promise.resolve(Option.none())],
    ["undefined", () => undefined],
    ["an Effect of a string", () => Effect.succeed("ssh-ed25519 AAAA")],
    ["an Effect of Some of a string", () => Effect.succeed(Option.some("ssh-ed25519 AAAA"))],
    ["an Effect that dies", () => Effect.die(new Error("canary"))],
    [
      "nothing, because it throws",
      () => {
        throw new Error("canary");
      },
    ],
  ])("AgentPublicKeys.find that returns %s rejects the assertion", ([, find]) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const { header } = yield* signFor("agent-1");
      const error = yield* verifyAgentAssertion(header, { isKnownTask: null }).pipe(
        Effect.provideService(AgentPublicKeys, untyped({ find })),
        Effect.flip,
      );
      expect(error).toMatchObject({ code: lookupFailed, service: "AgentPublicKeys" });
      expect(error.message).not.toContain("canary");
    }),
  );
});

describe("isKnownTask and the replay store", () => {
  const setUp = Effect.gen(function* () {
    const { key, header } = yield* signFor("agent-1");
    const publicKey = { raw: key.publicKeyRaw, ssh: key.sshPublicKey, verify: () => true };
    yield* TestClock.setTime(nowMs);
    return { header, keys: AgentPublicKeys.layerMemory(new Map([["agent-1", publicKey]])) };
  });

  it.effect.each(notBooleans)("isKnownTask that returns %s rejects the assertion", ([, value]) =>
    Effect.gen(function* () {
      const { header, keys } = yield* setUp;
      for (const isKnownTask of [value, () => Effect.succeed(value())]) {
        const verified = verifyAgentAssertion(header, { isKnownTask: untyped(isKnownTask) });
        const error = yield* Effect.flip(Effect.provide(verified, keys));
        expect(error).toMatchObject({ code: lookupFailed, service: "tasks" });
      }
    }),
  );

  it.effect.each(notBooleans)("admit that returns %s rejects the assertion", ([, value]) =>
    Effect.gen(function* () {
      const { header, keys } = yield* setUp;
      const store = Layer.succeed(
        AssertionReplayStore,
        untyped({ admit: () => Effect.succeed(value()) }),
      );
      const error = yield* verifyAgentAssertion(header, { isKnownTask: null }).pipe(
        Effect.provide(Layer.merge(keys, store)),
        Effect.flip,
      );
      expect(error).toMatchObject({ code: lookupFailed, service: "AssertionReplayStore" });
    }),
  );

  it.effect.each(notBooleans.slice(2))("replays that resolves to %s rejects", ([, value]) =>
    Effect.promise(async () => {
      const { key, header } = await Effect.runPromise(signFor("agent-1"));
      await using verifier = createAssertionVerifier({
        findPublicKey: async () => key.sshPublicKey,
        isKnownTask: null,
        clockWindowSeconds: 1e9,
        replays: untyped(async () => value()),
      });
      await expect(verifier.verify(header)).rejects.toMatchObject({ code: lookupFailed });
    }),
  );

  it.each<readonly [object, RegExp]>([
    [{ findPublicKey: async () => null }, /isKnownTask must be a function, or null/],
    [{ findPublicKey: async () => null, isKnownTask: true }, /isKnownTask must be/],
    [{ isKnownTask: null }, /findPublicKey must be a function/],
  ])("createAssertionVerifier throws a TypeError for %o", (options, message) => {
    expect(() => createAssertionVerifier(untyped(options))).toThrow(message);
    expect(() => createAssertionVerifier(untyped(options))).toThrow(TypeError);
  });

  it("rejects a call whose expectedAgentRuntimeId is undefined, which would accept every agent", async () => {
    const { key, header } = await Effect.runPromise(signFor("agent-1"));
    await using verifier = createAssertionVerifier({
      findPublicKey: async () => key.sshPublicKey,
      isKnownTask: null,
      clockWindowSeconds: 1e9,
    });
    const call = untyped({ expectedAgentRuntimeId: undefined });
    await expect(verifier.verify(header, call)).rejects.toThrow(TypeError);
    expect(await verifier.verify(header)).toMatchObject({ agentRuntimeId: "agent-1" });
  });

  it.effect.each([7, {}, ["AgentAssertion x"], Buffer.from("AgentAssertion x")])(
    "a header that is %o instead of a string is malformed",
    (header) =>
      Effect.gen(function* () {
        const { keys } = yield* setUp;
        const error = yield* verifyAgentAssertion(untyped(header), { isKnownTask: null }).pipe(
          Effect.provide(keys),
          Effect.flip,
        );
        expect(error.code).toBe("AGENT_IDENTITY_ASSERTION_MALFORMED");
      }),
  );
});

const signingKey = makeSigningKey("key-1");
const url = "https://authority.test/jwks";

describe("a custom JwksSource", () => {
  it.effect.each([
    ["nothing", undefined],
    ["null", null],
    ["a PEM string", { kid: "key-1", key: "-----BEGIN PUBLIC KEY-----" }],
    ["a KeyObject", { kid: "key-1", key: signingKey.publicKey }],
    ["a JWK", { kid: "key-1", key: signingKey.jwk }],
    ["the key itself", signingKey.publicKey],
    ["Object.prototype.constructor", Object],
  ] as const)("that returns %s verifies nothing", ([, value]) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const jwt = yield* Effect.promise(() => mint(signingKey));
      const source = untyped({ key: () => Effect.succeed(value) });
      const error = yield* verifyAgentIdentityJwt(jwt).pipe(
        Effect.provideService(JwksSource, source),
        Effect.flip,
      );
      expect(error.code).toBe("AGENT_IDENTITY_JWKS_MALFORMED");
    }),
  );

  it.effect("that returns the key of another kid verifies nothing", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const jwt = yield* Effect.promise(() => mint(signingKey));
      const { key } = yield* JwksSource.use((source) => source.key("key-1")).pipe(
        Effect.provide(JwksSource.layerStatic({ keys: [signingKey.jwk] })),
      );
      const source = JwksSource.of({ key: () => Effect.succeed({ kid: "key-2", key }) });
      const error = yield* verifyAgentIdentityJwt(jwt).pipe(
        Effect.provideService(JwksSource, source),
        Effect.flip,
      );
      expect(error.code).toBe("AGENT_IDENTITY_JWKS_KEY_NOT_FOUND");
    }),
  );

  it.effect.each([undefined, null, 7, {}, ["a.b.c"], Buffer.from("a.b.c")])(
    "a token that is %o instead of a string is malformed",
    (jwt) =>
      Effect.gen(function* () {
        const error = yield* verifyAgentIdentityJwt(untyped(jwt)).pipe(
          Effect.provide(JwksSource.makeMemory().layer),
          Effect.flip,
        );
        expect(error.code).toBe("AGENT_IDENTITY_JWT_FORMAT_INVALID");
      }),
  );
});

const fail = () => {
  throw new Error("canary");
};

describe("a custom JwksCache", () => {
  const entry = { fetchedAtMs: nowMs, freshUntilMs: nowMs + 60_000, mustRevalidate: false };
  const forged = { keys: [makeSigningKey("key-1").jwk] };

  it.effect.each<readonly [string, () => unknown]>([
    ["nothing", () => undefined],
    ["a Promise", () => Promise.resolve(Option.some(entry))],
    ["an Effect of null", () => Effect.succeed(null)],
    ["an entry without Option", () => Effect.succeed({ jwks: forged, ...entry })],
    [
      "times that are text",
      () => Effect.succeed(Option.some({ jwks: forged, ...entry, freshUntilMs: "4000000000000" })),
    ],
    [
      "times that are NaN",
      () => Effect.succeed(Option.some({ jwks: forged, ...entry, fetchedAtMs: Number.NaN })),
    ],
    [
      "times without end",
      () => Effect.succeed(Option.some({ jwks: forged, ...entry, freshUntilMs: Infinity })),
    ],
    [
      "mustRevalidate that is text",
      () => Effect.succeed(Option.some({ jwks: forged, ...entry, mustRevalidate: "no" })),
    ],
    ["a JWKS that is text", () => Effect.succeed(Option.some({ ...entry, jwks: "{}" }))],
    ["Object.prototype.constructor", () => Effect.succeed(Option.some(Object))],
    ["nothing, because it dies", () => Effect.die(new Error("canary"))],
    ["nothing, without end", () => Effect.never],
    [
      "nothing, because it throws",
      () => {
        throw new Error("canary");
      },
    ],
  ])("that returns %s counts as a miss", ([, load]) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const transport = makeFakeTransport(() => Effect.succeed(json({ keys: [signingKey.jwk] })));
      const jwks = remoteJwks({ url, timeoutMs: 1000 }).pipe(
        Layer.provide([transport.layer, Layer.succeed(JwksCache, untyped({ load, save: fail }))]),
      );
      const jwt = yield* Effect.promise(() => mint(signingKey));
      const fiber = yield* Effect.forkChild(Effect.provide(verifyAgentIdentityJwt(jwt), jwks), {
        startImmediately: true,
      });
      yield* TestClock.adjust("1 second");
      expect(yield* Fiber.join(fiber)).toMatchObject({ kid: "key-1" });
      expect(transport.requests).toHaveLength(1);
    }),
  );

  it("JwksStore.load of a client may return anything, or throw", async () => {
    const stores = [() => "x", () => Promise.reject(new Error("x")), () => ({ jwks: 1 })];
    for (const load of stores) {
      await using client = createAgentIdentity({
        http: { originator: "test", userAgent: "test" },
        jwks: { url: "http://127.0.0.1:1/jwks", timeoutMs: 1000 },
        jwksStore: untyped({ load, save: load }),
      });
      await expect(client.verifyAgentIdentityJwt(await mint(signingKey))).rejects.toMatchObject({
        code: "AGENT_IDENTITY_JWKS_REQUEST_FAILED",
      });
    }
  });
});

describe("a custom AgentKey", () => {
  it("whose sign returns a Promise throws a TypeError instead of signing a wrong header", () => {
    const key = untyped({ sign: async () => "AAAA", sshPublicKey: "", publicKeyRaw: null });
    const signer = makeAssertionSigner({ key, agentRuntimeId: "agent-1", taskId: "task-1" });
    expect(() => signer.authorizationAt(nowMs)).toThrow(TypeError);
  });

  it.effect.each([undefined, null, 7, {}, "MC4CAQAwBQYDK2Vw"])(
    "importAgentKey of %o instead of a Redacted string is malformed",
    (value) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(importAgentKey(untyped(value)));
        expect(error.code).toBe("AGENT_IDENTITY_KEY_MALFORMED");
      }),
  );
});
