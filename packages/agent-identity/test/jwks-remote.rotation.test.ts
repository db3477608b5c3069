import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as TestClock from "effect/testing/TestClock";
import { answer, json } from "./fake-transport.ts";
import { nowMs } from "./mint.ts";
import {
  codeOf,
  key,
  minutes,
  one,
  setOf,
  setUp,
  two,
  unknown,
  unreachable,
} from "./jwks-remote.fixture.ts";

describe("jwks-remote: rotation and cool-down", () => {
  it.effect("follows a key rotation at once, even with a fresh set", () => {
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

  it.effect("makes one request for 1,000 callers with a new key", () => {
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

  it.effect("makes one request per 30 s for unknown kids and serves known ones meanwhile", () => {
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

  it.effect("follows a key rotation after the clock was set back", () => {
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

  it.effect("makes one request for an unknown kid on a cold cache", () => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        expect(yield* codeOf("evil")).toBe(unknown);
        expect(jwks.requests).toHaveLength(1);
      }),
    );
  });

  it.effect("reports the failed request for an unknown kid", () => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.goDown();
        for (let nth = 0; nth < 3; nth += 1) expect(yield* codeOf("two")).toBe(unreachable);
        expect((yield* key("one")).kid).toBe("one");
        expect(jwks.requests).toHaveLength(2);
        yield* TestClock.adjust("30 seconds");
        jwks.answerWith(json(setOf(one)));
        expect(yield* codeOf("two")).toBe(unknown);
        expect(yield* codeOf("two")).toBe(unknown);
        expect(jwks.requests).toHaveLength(3);
      }),
    );
  });

  it.effect("reports the request failure only until a request succeeds", () => {
    const jwks = setUp(json(setOf(one)));
    jwks.goDown();
    return jwks.run(
      Effect.gen(function* () {
        expect(yield* codeOf("one")).toBe(unreachable);
        jwks.answerWith(json(setOf(one)));
        yield* key("one");
        expect(yield* codeOf("two")).toBe(unknown);
        expect(jwks.requests).toHaveLength(3);
      }),
    );
  });

  it.effect("says why a key must not be used, also during the cooldown", () => {
    const jwks = setUp(json({ keys: [{ ...one.jwk, use: "enc" }] }));
    return jwks.run(
      Effect.gen(function* () {
        for (let nth = 0; nth < 3; nth += 1)
          expect(yield* Effect.flip(key("one"))).toMatchObject({
            problem: "it is marked for another use",
          });
        expect(jwks.requests).toHaveLength(2);
      }),
    );
  });

  it.effect("follows a key rotation under an unchanged ETag", () => {
    const jwks = setUp(json(setOf(one), { etag: '"v1"' }));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.behave(({ headers }) =>
          Effect.succeed(
            headers?.["if-none-match"] === '"v1"'
              ? answer(304, "")
              : json(setOf(two), { etag: '"v1"' }),
          ),
        );
        yield* TestClock.adjust(minutes(6));
        expect((yield* key("one")).kid).toBe("one");
        expect((yield* key("two")).kid).toBe("two");
        expect(jwks.requests).toHaveLength(3);
      }),
    );
  });
});
