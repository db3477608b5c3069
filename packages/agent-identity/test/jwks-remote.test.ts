import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as TestClock from "effect/testing/TestClock";
import { HttpBodyTooLarge } from "../src/errors.ts";
import type { HttpResponse } from "../src/http-transport.ts";
import { JwksSource } from "../src/jwks.ts";
import { type CachedJwks, JwksCache, layerMemory } from "../src/jwks-cache.ts";
import { layer as remoteLayer, type RemoteJwksOptions } from "../src/jwks-remote.ts";
import { verifyAgentIdentityJwt } from "../src/jwt.ts";
import { answer, json, makeFakeTransport, refusedConnection } from "./fake-transport.ts";
import { makeSigningKey, mint, nowMs } from "./mint.ts";

const url = "https://authority.test/jwks";
const [one, two] = [makeSigningKey("one"), makeSigningKey("two")];
const setOf = (...keys: ReadonlyArray<typeof one>) => ({ keys: keys.map(({ jwk }) => jwk) });
const minutes = (count: number) => `${count} minutes` as const;

const key = (kid: string) => JwksSource.use((source) => source.key(kid));
const codeOf = (kid: string) => Effect.map(Effect.flip(key(kid)), (error) => error.code);

/** A source over a transport that answers with `first` until a test says otherwise. */
const setUp = (first: HttpResponse, options: Partial<RemoteJwksOptions> = {}) => {
  const transport = makeFakeTransport(() => Effect.succeed(first));
  const source = remoteLayer({ url, ...options }).pipe(Layer.provide(transport.layer));
  return {
    ...transport,
    answerWith: (next: HttpResponse) => transport.behave(() => Effect.succeed(next)),
    goDown: () => transport.behave(() => Effect.fail(refusedConnection)),
    run: <A, E>(test: Effect.Effect<A, E, JwksSource>) =>
      TestClock.setTime(nowMs).pipe(Effect.andThen(Effect.provide(test, source))),
  };
};

const unknown = "AGENT_IDENTITY_JWT_KID_UNTRUSTED";
const unreachable = "AGENT_IDENTITY_JWKS_REQUEST_FAILED";

describe("jwks-remote: lifetime", () => {
  const lifetimes = [
    [{}, 300],
    [{ "cache-control": "max-age=60" }, 60],
    [{ "cache-control": "public, MAX-AGE=60, immutable" }, 60],
    [{ "cache-control": 'max-age="60"' }, 60],
    [{ "cache-control": "max-age=60", age: "45" }, 15],
    [{ "cache-control": "max-age=900" }, 900],
    [{ "cache-control": "max-age=999999999" }, 86_400],
    [{ "cache-control": "max-age=never" }, 300],
    [{ "cache-control": "public" }, 300],
  ] as const;

  it.effect.each(lifetimes)("an answer with %j is kept for %i s", ([headers, seconds]) => {
    const jwks = setUp(json(setOf(one), headers));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        yield* TestClock.adjust(seconds * 1000 - 1);
        yield* key("one");
        expect(jwks.requests).toHaveLength(1);
        yield* TestClock.adjust(1);
        yield* key("one");
        expect(jwks.requests).toHaveLength(2);
      }),
    );
  });

  it.effect.each(["no-store", "no-cache", "max-age=0", "max-age=60, no-store"])(
    "an answer with %s is not kept",
    (cacheControl) => {
      const jwks = setUp(json(setOf(one), { "cache-control": cacheControl }));
      return jwks.run(
        Effect.gen(function* () {
          yield* key("one");
          yield* key("one");
          expect(jwks.requests).toHaveLength(2);
        }),
      );
    },
  );

  it.effect("sends one plain GET with ten seconds and a megabyte to spare", () => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        expect(jwks.requests).toEqual([
          {
            method: "GET",
            url,
            headers: { accept: "application/json" },
            timeoutMs: 10_000,
            maxBodyBytes: 1_048_576,
          },
        ]);
      }),
    );
  });

  it.effect("asks again where the clock was turned back", () => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        yield* TestClock.setTime(nowMs - 1);
        yield* key("one");
        expect(jwks.requests).toHaveLength(2);
      }),
    );
  });
});

describe("jwks-remote: revalidation", () => {
  it.effect("offers its ETag, and a 304 renews the set for the new lifetime", () => {
    const jwks = setUp(json(setOf(one), { etag: '"v1"', "cache-control": "max-age=60" }));
    return jwks.run(
      Effect.gen(function* () {
        const before = yield* key("one");
        jwks.answerWith(answer(304, "", { "cache-control": "max-age=120" }));
        yield* TestClock.adjust("60 seconds");
        expect(yield* key("one")).toBe(before);
        expect(jwks.requests[1]?.headers).toEqual({
          accept: "application/json",
          "if-none-match": '"v1"',
        });
        yield* TestClock.adjust("119 seconds");
        yield* key("one");
        expect(jwks.requests).toHaveLength(2);
      }),
    );
  });

  it.effect.each(["no-store", "no-cache"])(
    "a 304 without Cache-Control leaves %s in force",
    (kept) => {
      const first = json(setOf(one), { etag: '"v1"', "cache-control": kept });
      const jwks = setUp(first);
      return jwks.run(
        Effect.gen(function* () {
          yield* key("one");
          jwks.answerWith(answer(304, ""));
          yield* key("one");
          yield* key("one");
          expect(jwks.requests).toHaveLength(3);
          jwks.goDown();
          expect(yield* codeOf("one")).toBe(unreachable);
        }),
      );
    },
  );

  it.effect(
    "a 304 without Cache-Control renews the lifetime, and the duty, of the answer before",
    () => {
      const cacheControl = "max-age=60, must-revalidate";
      const jwks = setUp(json(setOf(one), { etag: '"v1"', "cache-control": cacheControl }));
      return jwks.run(
        Effect.gen(function* () {
          yield* key("one");
          jwks.answerWith(answer(304, ""));
          yield* TestClock.adjust("60 seconds");
          yield* key("one");
          jwks.goDown();
          yield* TestClock.adjust("59 seconds");
          yield* key("one");
          expect(jwks.requests).toHaveLength(2);
          yield* TestClock.adjust("1 second");
          expect(yield* codeOf("one")).toBe(unreachable);
        }),
      );
    },
  );

  it.effect("takes a 304 that nobody asked for as an error", () => {
    const jwks = setUp(answer(304, ""));
    return jwks.run(
      Effect.gen(function* () {
        expect(yield* Effect.flip(key("one"))).toMatchObject({
          code: "AGENT_IDENTITY_JWKS_ENDPOINT_ERROR",
          status: 304,
        });
      }),
    );
  });
});

describe("jwks-remote: single flight", () => {
  it.effect("1,000 verifications on a cold cache make one request", () => {
    const transport = makeFakeTransport(() =>
      Effect.delay(Effect.succeed(json(setOf(one))), "1 second"),
    );
    const source = remoteLayer({ url }).pipe(Layer.provide(transport.layer));
    return Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const jwt = yield* Effect.promise(() => mint(one));
      const all = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 1000 }, () => verifyAgentIdentityJwt(jwt)),
          { concurrency: "unbounded" },
        ),
      );
      yield* TestClock.adjust("1 second");
      expect(yield* Fiber.join(all)).toHaveLength(1000);
      expect(transport.requests).toHaveLength(1);
    }).pipe(Effect.provide(source));
  });

  it.effect("the request outlives a first caller who goes away", () => {
    const transport = makeFakeTransport(() =>
      Effect.delay(Effect.succeed(json(setOf(one))), "1 second"),
    );
    const source = remoteLayer({ url }).pipe(Layer.provide(transport.layer));
    return Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const first = yield* Effect.forkChild(key("one"), { startImmediately: true });
      const second = yield* Effect.forkChild(key("one"), { startImmediately: true });
      yield* Fiber.interrupt(first);
      yield* TestClock.adjust("1 second");
      expect((yield* Fiber.join(second)).kid).toBe("one");
      expect(transport.requests).toHaveLength(1);
    }).pipe(Effect.provide(source));
  });

  it.effect("a failure is told to all who waited, and the next caller tries again", () => {
    const transport = makeFakeTransport(() =>
      Effect.delay(Effect.fail(refusedConnection), "1 second"),
    );
    const source = remoteLayer({ url }).pipe(Layer.provide(transport.layer));
    return Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const all = yield* Effect.forkChild(
        Effect.all([codeOf("one"), codeOf("two")], { concurrency: 2 }),
      );
      yield* TestClock.adjust("1 second");
      expect(yield* Fiber.join(all)).toEqual([unreachable, unreachable]);
      expect(transport.requests).toHaveLength(1);
      transport.behave(() => Effect.succeed(json(setOf(one))));
      expect((yield* key("one")).kid).toBe("one");
    }).pipe(Effect.provide(source));
  });
});

describe("jwks-remote: rotation and cool-down", () => {
  it.effect("follows a rotation at once, however young the set is", () => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.answerWith(json(setOf(two)));
        expect((yield* key("two")).kid).toBe("two");
        expect(yield* codeOf("one")).toBe(unknown);
        expect(jwks.requests).toHaveLength(2);
      }),
    );
  });

  it.effect("1,000 callers with a new key share the one request", () => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.behave(() => Effect.delay(Effect.succeed(json(setOf(one, two))), "1 second"));
        const all = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 1000 }, () => key("two")),
            { concurrency: "unbounded" },
          ),
        );
        yield* TestClock.adjust("1 second");
        expect(yield* Fiber.join(all)).toHaveLength(1000);
        expect(jwks.requests).toHaveLength(2);
      }),
    );
  });

  it.effect("unknown ids make one request in 30 s, and known ones are served meanwhile", () => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        for (let nth = 0; nth < 50; nth += 1) {
          expect(yield* codeOf(`evil-${nth}`)).toBe(unknown);
          yield* key("one");
        }
        expect(jwks.requests).toHaveLength(2);
        yield* TestClock.adjust("29999 millis");
        expect(yield* codeOf("evil")).toBe(unknown);
        expect(jwks.requests).toHaveLength(2);
        yield* TestClock.adjust("1 millis");
        expect(yield* codeOf("evil")).toBe(unknown);
        expect(jwks.requests).toHaveLength(3);
      }),
    );
  });

  it.effect("follows a rotation though the clock was stepped back after an unknown id", () => {
    const jwks = setUp(json(setOf(one), { "cache-control": "max-age=86400" }));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        expect(yield* codeOf("evil")).toBe(unknown);
        yield* TestClock.setTime(nowMs - 3_600_000);
        yield* key("one");
        jwks.answerWith(json(setOf(two)));
        expect((yield* key("two")).kid).toBe("two");
        expect(jwks.requests).toHaveLength(4);
      }),
    );
  });

  it.effect("an unknown id on a cold cache makes one request, not two", () => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        expect(yield* codeOf("evil")).toBe(unknown);
        expect(jwks.requests).toHaveLength(1);
      }),
    );
  });

  it.effect("says that it could not ask, where asking for an unknown id fails", () => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.goDown();
        expect(yield* codeOf("two")).toBe(unreachable);
        expect(yield* codeOf("two")).toBe(unknown);
        expect((yield* key("one")).kid).toBe("one");
        expect(jwks.requests).toHaveLength(2);
      }),
    );
  });
});

describe("jwks-remote: stale serving", () => {
  it.effect(
    "a set serves for an hour past its lifetime while the endpoint is down, not longer",
    () => {
      const jwks = setUp(json(setOf(one)));
      return jwks.run(
        Effect.gen(function* () {
          yield* key("one");
          jwks.goDown();
          yield* TestClock.adjust(minutes(5));
          expect((yield* key("one")).kid).toBe("one");
          yield* TestClock.adjust(minutes(60));
          expect(yield* codeOf("one")).toBe(unreachable);
          jwks.answerWith(json(setOf(one)));
          expect((yield* key("one")).kid).toBe("one");
        }),
      );
    },
  );

  it.effect("the last moment of staleness still serves", () => {
    const jwks = setUp(json(setOf(one)), { maxStaleMs: 1000 });
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.goDown();
        yield* TestClock.adjust(300_999);
        expect((yield* key("one")).kid).toBe("one");
        yield* TestClock.adjust(1);
        expect(yield* codeOf("one")).toBe(unreachable);
      }),
    );
  });

  it.effect("a down endpoint is asked once in 30 s while a stale set serves", () => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.goDown();
        yield* TestClock.adjust(minutes(5));
        for (let nth = 0; nth < 20; nth += 1) yield* key("one");
        expect(jwks.requests).toHaveLength(2);
        yield* TestClock.adjust("30 seconds");
        for (let nth = 0; nth < 20; nth += 1) yield* key("one");
        expect(jwks.requests).toHaveLength(3);
      }),
    );
  });

  it.effect.each([
    answer(500, "oops"),
    answer(200, "<html>"),
    answer(200, '{"keys":7}'),
    answer(404, ""),
  ])("an answer that is no set leaves the old one to serve", (bad) => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.answerWith(bad);
        yield* TestClock.adjust(minutes(6));
        expect((yield* key("one")).kid).toBe("one");
        expect(jwks.requests).toHaveLength(2);
      }),
    );
  });

  it.effect.each([
    { maxStaleMs: 0 },
    { headers: { "cache-control": "max-age=300, must-revalidate" } },
  ])(
    "nothing stale serves with %j",
    ({ headers = {}, ...options }: { maxStaleMs?: number; headers?: Record<string, string> }) => {
      const jwks = setUp(json(setOf(one), headers), options);
      return jwks.run(
        Effect.gen(function* () {
          yield* key("one");
          jwks.goDown();
          yield* TestClock.adjust(minutes(5));
          expect(yield* codeOf("one")).toBe(unreachable);
        }),
      );
    },
  );

  it.effect("a withdrawn key is withdrawn, endpoint up", () => {
    const jwks = setUp(json(setOf(one, two)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.answerWith(json(setOf(two)));
        yield* TestClock.adjust(minutes(5));
        expect(yield* codeOf("one")).toBe(unknown);
        expect((yield* key("two")).kid).toBe("two");
      }),
    );
  });
});

describe("jwks-remote: without a set", () => {
  it.effect.each([
    [answer(500, "secret-canary"), "AGENT_IDENTITY_JWKS_ENDPOINT_ERROR"],
    [answer(302, ""), "AGENT_IDENTITY_JWKS_ENDPOINT_ERROR"],
    [answer(204, ""), "AGENT_IDENTITY_JWKS_ENDPOINT_ERROR"],
    [answer(200, "<html>secret-canary</html>"), "AGENT_IDENTITY_JWKS_MALFORMED"],
    [answer(200, ""), "AGENT_IDENTITY_JWKS_MALFORMED"],
    [answer(200, '{"error":"secret-canary"}'), "AGENT_IDENTITY_JWKS_MALFORMED"],
  ] as const)("nothing is trusted: %j is %s", ([bad, code]) => {
    const jwks = setUp(bad);
    return jwks.run(
      Effect.gen(function* () {
        const error = yield* Effect.flip(key("one"));
        expect(error.code).toBe(code);
        expect(`${error.message} ${JSON.stringify(error)}`).not.toContain("canary");
      }),
    );
  });

  it.effect("tells a set that is too large from an endpoint that is not reached", () => {
    const where = { method: "GET", url };
    const tooLarge = new HttpBodyTooLarge({ ...where, maxBodyBytes: 1_048_576 });
    const jwks = setUp(answer(200, ""));
    jwks.behave(() => Effect.fail(tooLarge));
    return jwks.run(
      Effect.gen(function* () {
        expect(yield* Effect.flip(key("one"))).toMatchObject({
          code: "AGENT_IDENTITY_JWKS_MALFORMED",
          problem: "the answer is larger than 1048576 bytes",
        });
      }),
    );
  });

  it.effect("refuses plain http off loopback, and says so without a request", () => {
    const jwks = setUp(json(setOf(one)), { url: "http://authority.test/jwks" });
    return jwks.run(
      Effect.gen(function* () {
        expect(yield* Effect.flip(key("one"))).toMatchObject({
          code: unreachable,
          failure: { code: "AGENT_IDENTITY_HTTP_INSECURE_URL" },
        });
        expect(jwks.requests).toHaveLength(0);
      }),
    );
  });

  it.effect.each([
    { url: "http://127.0.0.1:8080/jwks" },
    { url: "http://authority.test/jwks", allowInsecureHttp: true },
  ])("asks where %j", (options) => {
    const jwks = setUp(json(setOf(one)), options);
    return jwks.run(Effect.map(key("one"), (trusted) => expect(trusted.kid).toBe("one")));
  });
});

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
  it.effect("a fresh set in it needs no request at all", () => {
    const jwks = setUpCached(cached());
    return jwks.run(
      Effect.gen(function* () {
        expect((yield* key("one")).kid).toBe("one");
        expect(jwks.requests).toHaveLength(0);
        expect(jwks.saved).toHaveLength(0);
      }),
    );
  });

  it.effect("a set in it that lacks the key is asked for anew, and kept", () => {
    const jwks = setUpCached(cached());
    return jwks.run(
      Effect.gen(function* () {
        expect((yield* key("two")).kid).toBe("two");
        expect(jwks.requests).toHaveLength(1);
        expect(jwks.saved).toEqual([
          {
            url,
            entry: {
              jwks: setOf(one, two),
              fetchedAtMs: nowMs,
              freshUntilMs: nowMs + 300_000,
              mustRevalidate: false,
            },
          },
        ]);
      }),
    );
  });

  it.effect("an old set in it is revalidated by its ETag", () => {
    const old = cached({ freshUntilMs: nowMs, etag: '"v1"' });
    const jwks = setUpCached(old, answer(304, ""));
    return jwks.run(
      Effect.gen(function* () {
        expect((yield* key("one")).kid).toBe("one");
        expect(jwks.requests[0]?.headers).toMatchObject({ "if-none-match": '"v1"' });
        expect(jwks.saved[0]?.entry).toEqual({
          ...old,
          fetchedAtMs: nowMs,
          freshUntilMs: nowMs + 1000,
        });
      }),
    );
  });

  it.effect("an old set in it serves while the endpoint is down, within the hour", () => {
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
    cached({ fetchedAtMs: nowMs + 1, freshUntilMs: nowMs + 1e12 }),
    cached({ fetchedAtMs: nowMs - 86_400_000, freshUntilMs: nowMs + 1e12 }),
    cached({ jwks: "nonsense" }),
    null,
  ])("what is of the future, a day old, broken or absent is asked for anew", (entry) => {
    const jwks = setUpCached(entry);
    return jwks.run(
      Effect.gen(function* () {
        expect((yield* key("one")).kid).toBe("one");
        expect(jwks.requests).toHaveLength(1);
      }),
    );
  });

  it.effect("an answer with no-store is not put into it, nor when a silent 304 renews it", () => {
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

  it.effect("an answer with no-store is not put into it", () => {
    const jwks = setUpCached(null, json(setOf(one), { "cache-control": "no-store" }));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        expect(jwks.saved).toHaveLength(0);
      }),
    );
  });

  it.effect("layerMemory gives back what was saved, for its own URL", () =>
    Effect.gen(function* () {
      const cache = yield* JwksCache;
      yield* cache.save(url, cached());
      expect(yield* cache.load(url)).toEqual(Option.some(cached()));
      expect(yield* cache.load(`${url}/other`)).toEqual(Option.none());
    }).pipe(Effect.provide(layerMemory)),
  );
});
