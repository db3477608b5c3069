// How much is kept of what a remote server or an agent sends.
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as TestClock from "effect/testing/TestClock";
import { makeAssertionSigner } from "../src/assertion/index.ts";
import {
  AgentPublicKeys,
  AssertionReplayStore,
  importAgentPublicKey,
  verifyAgentAssertion,
} from "../src/assertion/verifier.ts";
import { type CachedJwks, JwksCache, makeMemoryJwksCache } from "../src/jwks/cache.ts";
import { JwksSource, parseJwks } from "../src/jwks/index.ts";
import { layer as remoteJwks } from "../src/jwks/remote.ts";
import { generateAgentKey } from "../src/keys/index.ts";
import { json, makeFakeTransport } from "./fake-transport.ts";
import { makeSigningKey, nowMs } from "./mint.ts";

const { jwk } = makeSigningKey("key-1");
const withKid = (kid: string, changes: object = {}) => ({ ...jwk, kid, ...changes });
const many = (count: number, changes: object = {}) =>
  Array.from({ length: count }, (_, nth) => withKid(`key-${nth}`, changes));
const problemOf = (kid: string, keys: ReadonlyArray<unknown>) =>
  parseJwks({ keys }).pipe(
    Effect.flatMap((set) => Effect.flip(set.key(kid))),
    Effect.map(({ problem }) => problem),
  );

describe("a JWKS", () => {
  it.effect("may have 100 usable keys, but not 101", () =>
    Effect.gen(function* () {
      expect((yield* parseJwks({ keys: many(100) })).document.keys).toHaveLength(100);
      const error = yield* Effect.flip(parseJwks({ keys: many(101) }));
      expect(error).toMatchObject({
        code: "AGENT_IDENTITY_JWKS_MALFORMED",
        problem: "it has more than 100 usable keys",
      });
    }),
  );

  it.effect("may repeat one key, which counts once", () =>
    Effect.gen(function* () {
      const set = yield* parseJwks({ keys: Array.from({ length: 500 }, () => jwk) });
      expect(set.document.keys).toHaveLength(1);
    }),
  );

  it.effect("keeps the reasons of 100 unusable keys", () =>
    Effect.gen(function* () {
      const keys = many(5000, { use: "enc" });
      expect(yield* problemOf("key-99", keys)).toBe("it is marked for another use");
      expect(yield* problemOf("key-100", keys)).toBeUndefined();
    }),
  );

  it.effect("ignores a key whose kid is longer than 1,024 characters", () =>
    Effect.gen(function* () {
      const keys = [withKid("a".repeat(1024)), withKid("b".repeat(1025))];
      const { document } = yield* parseJwks({ keys });
      expect(document.keys.map(({ kid }) => kid)).toEqual(["a".repeat(1024)]);
    }),
  );

  it.effect("keeps the four used members of its usable keys, and nothing else", () =>
    Effect.gen(function* () {
      const filler = "x".repeat(100_000);
      const saved: Array<CachedJwks> = [];
      const cache = JwksCache.of({
        load: () => Effect.succeedNone,
        save: (_, entry) => Effect.sync(() => void saved.push(entry)),
      });
      const body = { keys: [withKid("key-1", { x5c: [filler] }), { kty: "EC", filler }], filler };
      const transport = makeFakeTransport(() => Effect.succeed(json(body)));
      yield* JwksSource.use((source) => source.key("key-1")).pipe(
        Effect.provide(
          remoteJwks({ url: "https://authority.test/jwks" }).pipe(
            Layer.provide([transport.layer, Layer.succeed(JwksCache, cache)]),
          ),
        ),
      );
      const { kty, n, e } = jwk;
      expect(saved.map(({ jwks }) => jwks)).toEqual([{ keys: [{ kty, kid: "key-1", n, e }] }]);
    }),
  );
});

describe("makeMemoryJwksCache", () => {
  it.effect("keeps the 64 sets that were used last", () =>
    Effect.gen(function* () {
      const cache = makeMemoryJwksCache();
      const entry = { jwks: { keys: [] }, fetchedAtMs: 0, freshUntilMs: 0, mustRevalidate: false };
      const has = (nth: number) => Effect.map(cache.load(`https://${nth}.test/`), Option.isSome);
      for (let nth = 1; nth <= 64; nth += 1) yield* cache.save(`https://${nth}.test/`, entry);
      expect(yield* has(1)).toBe(true); // used again: the second is now the oldest
      yield* cache.save("https://65.test/", entry);
      expect([yield* has(1), yield* has(2), yield* has(3), yield* has(65)]).toEqual([
        true,
        false,
        true,
        true,
      ]);
    }),
  );
});

describe("an AssertionReplayStore", () => {
  it.effect("is given a key of 43 characters, however long the ids are", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const [agentRuntimeId, taskId] = ["a".repeat(1024), "t".repeat(1024)];
      const key = yield* generateAgentKey;
      const publicKey = yield* importAgentPublicKey(key.publicKeyRaw);
      const counted: Array<string> = [];
      const store = AssertionReplayStore.of({
        admit: (use) => Effect.sync(() => counted.push(use) > 0),
      });
      const header = makeAssertionSigner({ key, agentRuntimeId, taskId }).authorizationAt(nowMs);
      yield* verifyAgentAssertion(header, { isKnownTask: null }).pipe(
        Effect.provide(AgentPublicKeys.layerMemory(new Map([[agentRuntimeId, publicKey]]))),
        Effect.provideService(AssertionReplayStore, store),
      );
      expect(counted).toEqual([expect.stringMatching(/^[\w-]{43}$/)]);
    }),
  );

  it.effect("in memory fails when it holds as many assertions as its capacity", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const store = yield* AssertionReplayStore;
      expect(yield* store.admit("one", nowMs + 1000)).toBe(true);
      expect(yield* store.admit("two", nowMs + 1000)).toBe(true);
      expect(yield* Effect.flip(store.admit("three", nowMs + 1000))).toMatchObject({
        code: "AGENT_IDENTITY_ASSERTION_LOOKUP_FAILED",
        problem: "full",
      });
      yield* TestClock.adjust("2 seconds");
      expect(yield* store.admit("three", nowMs + 3000)).toBe(true);
    }).pipe(Effect.provide(AssertionReplayStore.layerMemory({ maxUses: 1, capacity: 2 }))),
  );
});
