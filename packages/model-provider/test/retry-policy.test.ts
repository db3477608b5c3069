import { describe, expect, it } from "vitest";
import { retryDelayMs, retryPolicy } from "../src/requests/retry-policy.ts";

const nowMs = Date.parse("2026-04-13T12:00:00Z");
const policy = { maxRetries: 3, baseDelayMs: 1_000, maxDelayMs: 60_000 };
const delay = (retryAfter: string | null) => retryDelayMs(policy, 0, retryAfter, nowMs);

const nth = (retry: number, maxDelayMs = 60_000) =>
  retryDelayMs({ ...policy, maxDelayMs }, retry, null, nowMs);

describe("retryDelayMs", () => {
  it.each([
    ["0", 0],
    ["7", 7_000],
    [" 60 ", 60_000],
    ["Mon, 13 Apr 2026 12:00:30 GMT", 30_000],
    ["Mon, 13 Apr 2026 11:00:00 GMT", 0],
  ])("waits as Retry-After: %s says", (retryAfter, expected) => {
    expect(delay(retryAfter)).toBe(expected);
  });

  it.each(["61", "9".repeat(400), "Mon, 13 Apr 2026 12:01:01 GMT"])(
    "gives up where Retry-After: %s asks for too much",
    (retryAfter) => {
      expect(delay(retryAfter)).toBeNull();
    },
  );

  it.each([
    null,
    "",
    "-1",
    "1.5",
    "+5",
    "0x10",
    "1, 2",
    "soon",
    "2026-04-13",

    "Xxx, 99 Yyy 2026 12:00:00 GMT",
  ])("takes Retry-After: %s for none", (retryAfter) => {
    const waits = delay(retryAfter);
    expect(waits).toBeGreaterThanOrEqual(900);
    expect(waits).toBeLessThanOrEqual(1_100);
  });
});

describe("retryDelayMs without Retry-After", () => {
  it("doubles, give or take a tenth, up to the longest wait", () => {
    for (const [retry, expected] of [1_000, 2_000, 4_000, 8_000].entries()) {
      expect(nth(retry)).toBeGreaterThanOrEqual(expected * 0.9);
      expect(nth(retry)).toBeLessThanOrEqual(expected * 1.1);
    }
    expect(nth(3, 5_000)).toBe(5_000);
  });
});

describe("retryPolicy", () => {
  it("waits no longer than a timer can, which would else go off at once", () => {
    expect(retryPolicy({ retryMaxDelayMs: 2 ** 40 }, 0).maxDelayMs).toBe(2 ** 31 - 1);
  });
});
