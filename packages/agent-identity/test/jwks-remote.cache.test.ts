import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as TestClock from "effect/testing/TestClock";
import type { HttpResponse } from "../src/http/index.ts";
import { JwksSource } from "../src/jwks/index.ts";
import { type CachedJwks, JwksCache, layerMemory } from "../src/jwks/cache.ts";
import { layer as remoteLayer } from "../src/jwks/remote.ts";
import { answer, json, makeFakeTransport, refusedConnection } from "./fake-transport.ts";
import { nowMs } from "./mint.ts";
import {
  codeOf,
  key,
  one,
  setOf,
  two,
  unreachable,
  url,
  usableKeysOf,
} from "./jwks-remote.fixture.ts";

const cached = (entry: Partial<CachedJwks> = {}): CachedJwks => ({
  jwks: setOf(one),
  fetchedAtMs: nowMs - 1000,
  freshUntilMs: nowMs + 60_000,
  mustRevalidate: false,
  ...entry,
});

const setUpCached = (entry: CachedJwks | null, first: HttpResponse = json(setOf(one, two))) => {
  const transport = makeFakeTransport(() => Effect.succeed(first));
  const saved: Array<{ readonly url: string; readonly entry: CachedJwks }> = [];
  const cache = Layer.succeed(
    JwksCache,
    JwksCache.of({
      load: (asked) => Effect.succeed(asked === url ? Option.fromNullOr(entry) : Option.none()),
      save: (at, stored) => Effect.sync(() => void saved.push({ url: at, entry: stored })),
    }),
  );
  const source = remoteLayer({ url }).pipe(Layer.provide([transport.layer, cache]));
  const run = <A, E>(test: Effect.Effect<A, E, JwksSource>) =>
    TestClock.setTime(nowMs).pipe(Effect.andThen(Effect.provide(test, source)));
  return { ...transport, saved, run };
};

describe("jwks-remote with a JwksCache", () => {
  it.effect("uses a fresh cached set without a request", () => {
    const jwks = setUpCached(cached());
    return jwks.run(
      Effect.gen(function* () {
        expect((yield* key("one")).kid).toBe("one");
        expect(jwks.requests).toHaveLength(0);
        expect(jwks.saved).toHaveLength(0);
      }),
    );
  });

  it.effect("fetches and caches the set if the cached one lacks the key", () => {
    const jwks = setUpCached(cached());
    return jwks.run(
      Effect.gen(function* () {
        expect((yield* key("two")).kid).toBe("two");
        expect(jwks.requests).toHaveLength(1);
        expect(jwks.saved).toEqual([
          {
            url,
            entry: {
              jwks: usableKeysOf(one, two),
              fetchedAtMs: nowMs,
              freshUntilMs: nowMs + 300_000,
              mustRevalidate: false,
            },
          },
        ]);
      }),
    );
  });

  it.effect("revalidates an old cached set by its ETag", () => {
    const old = cached({ freshUntilMs: nowMs, etag: '"v1"' });
    const jwks = setUpCached(old, answer(304, ""));
    return jwks.run(
      Effect.gen(function* () {
        expect((yield* key("one")).kid).toBe("one");
        expect(jwks.requests[0]?.headers).toMatchObject({ "if-none-match": '"v1"' });
        expect(jwks.saved[0]?.entry).toEqual({
          ...old,
          jwks: usableKeysOf(one),
          fetchedAtMs: nowMs,
          freshUntilMs: nowMs + 1000,
        });
      }),
    );
  });

  it.effect("uses an old cached set for up to an hour while the endpoint is down", () => {
    const jwks = setUpCached(cached({ fetchedAtMs: nowMs - 9e6, freshUntilMs: nowMs - 3_599_999 }));
    jwks.behave(() => Effect.fail(refusedConnection));
    return jwks.run(
      Effect.gen(function* () {
        expect((yield* key("one")).kid).toBe("one");
        yield* TestClock.adjust(1);
        expect(yield* codeOf("one")).toBe(unreachable);
      }),
    );
  });

  it.effect.each([
    ["from the future", cached({ fetchedAtMs: nowMs + 1, freshUntilMs: nowMs + 1e12 })],
    ["a day old", cached({ fetchedAtMs: nowMs - 86_400_000, freshUntilMs: nowMs + 1e12 })],
    ["malformed", cached({ jwks: "nonsense" })],
    ["absent", null],
  ] as const)("fetches if the cached entry is %s", ([, entry]) => {
    const jwks = setUpCached(entry);
    return jwks.run(
      Effect.gen(function* () {
        expect((yield* key("one")).kid).toBe("one");
        expect(jwks.requests).toHaveLength(1);
      }),
    );
  });

  it.effect("does not cache a no-store response, nor a 304 that revalidates it", () => {
    const headers = { "cache-control": "no-store", etag: '"v1"' };
    const jwks = setUpCached(null, json(setOf(one), headers));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.behave(() => Effect.succeed(answer(304, "")));
        yield* key("one");
        expect(jwks.requests).toHaveLength(2);
        expect(jwks.saved).toHaveLength(0);
      }),
    );
  });

  it.effect("does not cache a no-store response", () => {
    const jwks = setUpCached(null, json(setOf(one), { "cache-control": "no-store" }));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        expect(jwks.saved).toHaveLength(0);
      }),
    );
  });

  it.effect("layerMemory returns what was saved for the same URL", () =>
    Effect.gen(function* () {
      const cache = yield* JwksCache;
      yield* cache.save(url, cached());
      expect(yield* cache.load(url)).toEqual(Option.some(cached()));
      expect(yield* cache.load(`${url}/other`)).toEqual(Option.none());
    }).pipe(Effect.provide(layerMemory)),
  );
});
