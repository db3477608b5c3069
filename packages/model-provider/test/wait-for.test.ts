import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { pause, waitFor } from "../src/requests/wait-for.ts";

describe("waitFor", () => {
  it("leaves nothing on a signal that outlives it", async () => {
    const { signal } = new AbortController();
    expect(await waitFor(Promise.resolve(1), signal)).toBe(1);
    await expect(waitFor(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
    await pause(0, signal);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
