import { inspect } from "node:util";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as TestClock from "effect/testing/TestClock";
import { HttpBodyTooLarge } from "../src/errors/index.ts";
import { answer, json, refusedConnection } from "./fake-transport.ts";
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
  url,
} from "./jwks-remote.fixture.ts";
import { untyped } from "./untyped.ts";

describe("jwks-remote: stale sets", () => {
  it.effect(
    "uses a set for an hour past its lifetime while the endpoint is down, not longer",
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

  it.effect("uses a stale set until the last millisecond", () => {
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

  it.effect("does not use a set that becomes too stale during the request", () => {
    const jwks = setUp(json(setOf(one)), { maxStaleMs: 1000 });
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.behave(() => Effect.delay(Effect.fail(refusedConnection), "1 second"));
        yield* TestClock.adjust(300_500);
        const asked = yield* Effect.forkChild(codeOf("one"));
        yield* TestClock.adjust("1 second");
        expect(yield* Fiber.join(asked)).toBe(unreachable);
      }),
    );
  });

  it.effect("does not use a set that was fetched in the future", () => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.goDown();
        yield* TestClock.setTime(nowMs - 1);
        expect(yield* codeOf("one")).toBe(unreachable);
        yield* TestClock.setTime(nowMs);
        expect((yield* key("one")).kid).toBe("one");
      }),
    );
  });

  it.effect("requests a failing endpoint once per 30 s while a stale set is used", () => {
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
    [500, "oops"],
    [200, "<html>"],
    [200, '{"keys":7}'],
    [404, ""],
  ] as const)("keeps the old set if the response is %d %j", ([status, body]) => {
    const jwks = setUp(json(setOf(one)));
    return jwks.run(
      Effect.gen(function* () {
        yield* key("one");
        jwks.answerWith(answer(status, body));
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
    "uses no stale set with %j",
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

  it.effect("stops trusting a withdrawn key while the endpoint is up", () => {
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
  ] as const)("trusts nothing: %j is %s", ([bad, code]) => {
    const jwks = setUp(bad);
    return jwks.run(
      Effect.gen(function* () {
        const error = yield* Effect.flip(key("one"));
        expect(error.code).toBe(code);
        expect(`${error.message} ${JSON.stringify(error)}`).not.toContain("canary");
      }),
    );
  });

  it.effect("tells a response that is too large from a failed request", () => {
    const where = { method: "GET", url };
    const tooLarge = new HttpBodyTooLarge({ ...where, maxBodyBytes: 1_048_576 });
    const jwks = setUp(answer(200, ""));
    jwks.behave(() => Effect.fail(tooLarge));
    return jwks.run(
      Effect.gen(function* () {
        expect(yield* Effect.flip(key("one"))).toMatchObject({
          code: "AGENT_IDENTITY_JWKS_MALFORMED",
          problem: "the response is larger than 1048576 bytes",
        });
      }),
    );
  });

  it.effect("rejects plain http for hosts other than loopback without a request", () => {
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

  it.effect.each(["false", "no", 1, {}])(
    "rejects it also if allowInsecureHttp is %j, which is not true",
    (allowInsecureHttp) => {
      const jwks = setUp(json(setOf(one)), {
        url: "http://authority.test/jwks",
        allowInsecureHttp: untyped(allowInsecureHttp),
      });
      return jwks.run(
        Effect.gen(function* () {
          expect(yield* Effect.flip(key("one"))).toMatchObject({ code: unreachable });
          expect(jwks.requests).toHaveLength(0);
        }),
      );
    },
  );

  it.effect("shows no user info, query or fragment of its URL in errors", () => {
    const [secret, shown] = ["https://u:canary@authority.test/jwks?k=canary#canary", url];
    const jwks = setUp(answer(500, ""), { url: secret });
    return jwks.run(
      Effect.gen(function* () {
        for (const bad of [answer(500, ""), answer(200, ""), answer(200, "{}")]) {
          jwks.answerWith(bad);
          expect(yield* Effect.flip(key("one"))).toMatchObject({ url: shown });
        }
        jwks.goDown();
        const error = yield* Effect.flip(key("one"));
        expect(error).toMatchObject({ url: shown });
        expect(jwks.requests[0]?.url).toBe(secret);
        expect(`${error.message} ${inspect(error, { depth: 9 })}`).not.toContain("canary");
      }),
    );
  });

  it.effect("neither requests nor shows a text that is not a URL", () => {
    const jwks = setUp(json(setOf(one)), { url: "authority.test/jwks?canary" });
    return jwks.run(
      Effect.gen(function* () {
        expect(yield* Effect.flip(key("one"))).toMatchObject({
          code: unreachable,
          url: "",
          failure: { code: "AGENT_IDENTITY_HTTP_REQUEST_INVALID", part: "url" },
        });
        expect(jwks.requests).toHaveLength(0);
      }),
    );
  });

  it.effect.each([
    { url: "HTTPS://authority.test/jwks" },
    { url: "http://127.0.0.1:8080/jwks" },
    { url: "http://authority.test/jwks", allowInsecureHttp: true },
  ])("requests with the options %j", (options) => {
    const jwks = setUp(json(setOf(one)), options);
    return jwks.run(Effect.map(key("one"), (trusted) => expect(trusted.kid).toBe("one")));
  });
});
