import { describe, expect, it } from "vitest";
import { readFileSync } from "node:fs";
import { compare, List, type Suite, unexplained, updated } from "../src/wine/compare.ts";

const suite: Suite = {
  files: [],
  failures: [
    { why: "Wine has no links.", tests: ["test/a.test.ts links", "test/b.test.ts (the file)"] },
    { why: "Modes are those of Windows.", tests: ["test/a.test.ts modes"] },
  ],
};

const outcome = (fullName: string, status: string) => ({ fullName, status });
const results = {
  testResults: [
    {
      name: "Z:/src/packages/login/test/a.test.ts",
      status: "failed",
      assertionResults: [
        outcome("links", "failed"),
        outcome("modes", "passed"),
        outcome("locks", "failed"),
        outcome("reads", "passed"),
        outcome("sockets", "skipped"),
      ],
    },
    { name: "Z:\\src\\packages\\login\\test\\b.test.ts", status: "failed", assertionResults: [] },
  ],
};
const found = compare(results, suite, "/src/packages/login");

describe("the results of the tests under Wine", () => {
  it("are compared with the list: what failed unexpectedly, and what did not fail", () => {
    expect(found).toEqual({
      passed: 2,
      failed: ["test/a.test.ts links", "test/a.test.ts locks", "test/b.test.ts (the file)"],
      unexpected: ["test/a.test.ts locks"],
      notFailed: ["test/a.test.ts modes"],
    });
  });

  it("do not differ if exactly what is in the list failed", () => {
    const list = updated(suite, found);
    expect(compare(results, list, "/src/packages/login")).toMatchObject({
      unexpected: [],
      notFailed: [],
    });
  });

  it("update the list: new failures have no explanation, and what did not fail leaves it", () => {
    expect(updated(suite, found).failures).toEqual([
      suite.failures[0],
      { why: unexplained, tests: ["test/a.test.ts locks"] },
    ]);
  });
});

it("every expected failure under Wine has an explanation, and is listed once", () => {
  const file = new URL("../src/wine/expected.json", import.meta.url);
  const list = List.parse(JSON.parse(readFileSync(file, "utf8")));
  for (const { failures } of Object.values(list)) {
    const reasons = failures.map(({ why }) => why);
    expect(reasons.filter((why) => why === unexplained || why.trim() === "")).toEqual([]);
    const tests = failures.flatMap(({ tests }) => tests);
    expect(new Set(tests).size).toBe(tests.length);
  }
});
