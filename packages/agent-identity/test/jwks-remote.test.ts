import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as TestClock from "effect/testing/TestClock";
import { layer as remoteLayer } from "../src/jwks/remote.ts";
import { verifyAgentIdentityJwt } from "../src/jwt/index.ts";
import { answer, json, makeFakeTransport, refusedConnection } from "./fake-transport.ts";
import { mint, nowMs } from "./mint.ts";
import {
  codeOf,
  key,
  minutes,
  one,
  setOf,
  setUp,
  unreachable,
  url,
} from "./jwks-remote.fixture.ts";

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

  it.effect.each(lifetimes)("keeps a response with %j for %i s", ([headers, seconds]) => {
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
    "does not keep a response with %s",
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

  it.effect("sends a GET with a timeout of ten seconds and a limit of one megabyte", () => {
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

  it.effect("fetches again after the clock was set back", () => {
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
  it.effect("sends its ETag and extends the lifetime after a 304", () => {
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

  it.effect.each(["no-store", "no-cache"])("keeps %s after a 304 without Cache-Control", (kept) => {
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
  });

  it.effect("keeps lifetime and must-revalidate after a 304 without Cache-Control", () => {
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
  });

  it.effect.each([
    ["nothing", ""],
    ["a space", '"a b"'],
    ["a line break", '"v1"\n'],
    ["more than 512 characters", `"${"x".repeat(511)}"`],
  ] as const)("does not send an ETag with %s", ([, etag]) => {
    const jwks = setUp(json(setOf(one), { etag }));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        yield* TestClock.adjust(minutes(5));
        yield* key("one");
        expect(jwks.requests[1]?.headers).toEqual({ accept: "application/json" });
      }),
    );
  });

  it.effect("does not extend a lifetime after an unrequested 304", () => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.answerWith(answer(304, ""));
        yield* TestClock.adjust(minutes(5));
        yield* key("one");
        yield* TestClock.adjust("30 seconds");
        yield* key("one");
        expect(jwks.requests).toHaveLength(3);
      }),
    );
  });

  it.effect("reports an unrequested 304 as an error", () => {
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
  it.effect("makes one request for 1,000 verifications on a cold cache", () => {
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

  it.effect("continues the request when some of its callers are interrupted", () => {
    const transport = makeFakeTransport(() =>
      Effect.delay(Effect.succeed(json(setOf(one))), "1 second"),
    );
    const source = remoteLayer({ url }).pipe(Layer.provide(transport.layer));
    return Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const waiting = yield* Effect.forEach([1, 2, 3, 4], () =>
        Effect.forkChild(key("one"), { startImmediately: true }),
      );
      const [first, second, third, fourth] = waiting;
      for (const gone of [third, first]) if (gone !== undefined) yield* Fiber.interrupt(gone);
      yield* TestClock.adjust("1 second");
      for (const left of [second, fourth])
        expect(left && (yield* Fiber.join(left)).kid).toBe("one");
      expect(transport.requests).toHaveLength(1);
    }).pipe(Effect.provide(source));
  });

  it.effect("reports a failure to all waiting callers and tries again for the next", () => {
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
