import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Random from "effect/Random";
import { TestClock } from "effect/testing";
import { describe, expect, it } from "vitest";
import { makeRetryWait, otherOriginsOf, retryPolicy } from "../src/requests/options.ts";

/** Milliseconds of the waits of one request, by a clock that only the test moves. */
const waits = (delays: ReadonlyArray<number | undefined>, maxDelayMs = 60_000) =>
  Effect.gen(function* () {
    const wait = makeRetryWait({ maxRetries: delays.length, baseDelayMs: 1_000, maxDelayMs });
    const seen: Array<number> = [];
    for (const delayMs of delays) {
      const fiber = yield* Effect.forkChild(wait(delayMs));
      let elapsedMs = 0;
      yield* TestClock.adjust(0);
      while (fiber.pollUnsafe() === undefined && elapsedMs < 100_000) {
        yield* TestClock.adjust(100);
        elapsedMs += 100;
      }
      yield* Fiber.join(fiber);
      seen.push(elapsedMs);
    }
    return seen;
  }).pipe(Effect.provide(TestClock.layer()), Random.withSeed("retries"), Effect.runPromise);

describe("the wait before a retry", () => {
  it("starts at retryBaseDelayMs and doubles, give or take a fifth", async () => {
    const seen = await waits([undefined, undefined, undefined, undefined]);
    for (const [retry, expected] of [1_000, 2_000, 4_000, 8_000].entries()) {
      expect(seen[retry]).toBeGreaterThanOrEqual(expected * 0.8);
      expect(seen[retry]).toBeLessThanOrEqual(expected * 1.2 + 100);
    }
  });

  it("depends on Effect's Random alone", async () => {
    const first = await waits([undefined, undefined, undefined]);
    const second = await waits([undefined, undefined, undefined]);
    expect(second).toEqual(first);
  });

  it("is at most retryMaxDelayMs", async () => {
    expect((await waits([undefined, undefined, undefined, undefined], 2_000)).slice(2)).toEqual([
      2_000, 2_000,
    ]);
  });

  it("is what Retry-After says, if it says anything", async () => {
    expect(await waits([7_000, 0])).toEqual([7_000, 0]);
  });
});

describe("retryPolicy", () => {
  it("takes the provider's request_max_retries unless maxRetries is given", () => {
    expect([retryPolicy({}, 3).maxRetries, retryPolicy({ maxRetries: 0 }, 3).maxRetries]).toEqual([
      3, 0,
    ]);
  });

  it("limits the wait to what a timer can wait, since a longer one fires at once", () => {
    expect(retryPolicy({ retryMaxDelayMs: 2 ** 40 }, 0).maxDelayMs).toBe(2_147_483_647);
  });

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "refuses maxRetries: %s",
    (maxRetries) => {
      expect(() => retryPolicy({ maxRetries }, 0)).toThrow(TypeError);
    },
  );
});

describe("otherOrigins", () => {
  it.each([["sendUnauthenticated"], ["reject"]] as const)("may be %s", (otherOrigins) => {
    expect(otherOriginsOf({ otherOrigins })).toBe(otherOrigins);
  });

  it.each([["Reject"], ["rejected"], [true], [null], [{}]])(
    "that is %j throws, instead of sending requests to other origins",
    (otherOrigins) => {
      const options: object = { otherOrigins };
      expect(() => otherOriginsOf(options)).toThrow(
        new TypeError('otherOrigins must be "sendUnauthenticated" or "reject"'),
      );
    },
  );
});
