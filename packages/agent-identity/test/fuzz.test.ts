import { describe, expect, it } from "vitest";
import { runFuzz } from "./fuzz/run.ts";

describe("fuzz", () => {
  it("5,000 inputs fail with typed errors within 50 ms and leak no secret", async () => {
    const report = await runFuzz({ seed: 20_260_413, inputs: 5000 });
    expect(report.problems).toEqual([]);
    // A fuzzer whose inputs are all rejected, or all accepted, tests nothing.
    expect(report.accepted).toBeGreaterThan(500);
    expect(Object.keys(report.refusedByCode).length).toBeGreaterThan(20);
  }, 60_000);
});
