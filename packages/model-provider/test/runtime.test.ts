import { getEventListeners } from "node:events";
import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { makeRuntime, waitFor } from "../src/runtime/index.ts";

describe("waitFor", () => {
  it("leaves no listener on a signal that outlives it", async () => {
    const { signal } = new AbortController();
    expect(await waitFor(Promise.resolve(1), signal)).toBe(1);
    await expect(waitFor(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
    await makeRuntime().runInterruptible(Effect.sleep(0), signal);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("runInterruptible", () => {
  it("interrupts the Effect and rejects with the signal's reason", async () => {
    const controller = new AbortController();
    let interrupted = false;
    const running = makeRuntime().runInterruptible(
      Effect.onInterrupt(Effect.never, () =>
        Effect.sync(() => {
          interrupted = true;
        }),
      ),
      controller.signal,
    );
    controller.abort(new RangeError("enough"));
    await expect(running).rejects.toThrow("enough");
    expect(interrupted).toBe(true);
  });

  it("does not start the Effect if the signal has aborted already", async () => {
    let started = false;
    const running = makeRuntime().runInterruptible(
      Effect.sync(() => {
        started = true;
      }),
      AbortSignal.abort(new RangeError("before")),
    );
    await expect(running).rejects.toThrow("before");
    expect(started).toBe(false);
  });
});
