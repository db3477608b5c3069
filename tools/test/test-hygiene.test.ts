import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkTestFile } from "../src/test-hygiene/check.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "test-hygiene-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

/** Line and problem, for a test file with this text. */
const problemsOf = (text: string) => {
  const path = join(folder, "a.test.ts");
  writeFileSync(path, text);
  return checkTestFile(path).map((problem) => problem.slice(path.length + 1));
};

const none = "1 this test has no assertion";
const some = "1 this expects some error: state its class, code or message";
const source = "1 this reads source text: import what it declares";
const same = "1 this compares a value with itself";
const title = "1 the title of this table of tests does not show the case (use %s, %j or $name)";

describe("checkTestFile", () => {
  it.each([
    ["nothing", 'it("works", () => {});'],
    ["a call", 'it("works", async () => { await run(); });'],
    ["it.effect", 'it.effect("works", () => Effect.gen(function* () { yield* run; }));'],
    ["a table", 'it.each([1, 2])("works with %s", (n) => run(n));'],
    ["a conditional test", 'it.skipIf(missing)("works", () => run());'],
    ["a helper without one", 'const check = () => run(); it("works", () => check());'],
  ])("rejects a test without an assertion: %s", (_, text) => {
    expect(problemsOf(text)).toEqual([none]);
  });

  it.each([
    ["expect", 'it("works", () => { expect(f()).toBe(1); });'],
    ["assert", 'it("works", () => { assert.include(f(), 1); });'],
    ["a property", 'it("works", () => fc.assert(property));'],
    ["throw", 'it("works", () => { if (f() !== 1) throw new Error("no"); });'],
    ["a helper", 'const check = (n) => { expect(n).toBe(1); }; it("works", () => check(1));'],
    [
      "a helper by name",
      'function check(n) { expect(n).toBe(1); } it("works", () => all.forEach(check));',
    ],
    [
      "a helper's helper",
      'const a = () => expect(1).toBe(f()); const b = () => a(); it("works", () => b());',
    ],
  ])("accepts a test with an assertion: %s", (_, text) => {
    expect(problemsOf(text)).toEqual([]);
  });

  it("finds assertions in imported helpers, also if files import each other", () => {
    write("one.ts", 'import { two } from "./two.ts"; export const one = () => two();');
    write(
      "two.ts",
      'import { one } from "./one.ts"; export const two = () => expect(f(one)).toBe(1);',
    );
    write("three.ts", "export const three = () => {};");
    expect(problemsOf('import { one } from "./one.ts"; it("works", () => one());')).toEqual([]);
    expect(problemsOf('import { three } from "./three.ts"; it("works", () => three());')).toEqual([
      none,
    ]);
  });

  it.each([
    "expect(f).toThrow()",
    "expect(f).toThrowError()",
    "expect(f).toThrow(Error)",
    "await expect(f()).rejects.toThrow()",
    "await expect(f()).rejects.toBeInstanceOf(Error)",
    "await expect(f()).rejects.toBeDefined()",
    "expect(Exit.isFailure(yield* Effect.exit(f))).toBe(true)",
  ])("rejects a test that accepts any error: %s", (assertion) => {
    expect(problemsOf(`it("fails", async function* () { ${assertion}; });`)).toEqual([some]);
  });

  it.each([
    "expect(f).not.toThrow()",
    'expect(f).toThrow("no such file")',
    "expect(f).toThrow(SyntaxError)",
    'await expect(f()).rejects.toMatchObject({ code: "ENOENT" })',
    "expect(error).toBeInstanceOf(Error)",
  ])("accepts a test that says what it expects: %s", (assertion) => {
    expect(problemsOf(`it("fails", async () => { ${assertion}; });`)).toEqual([]);
  });

  it.each([
    'readFileSync(new URL("../src/jwt.ts", import.meta.url), "utf8")',
    'readFile(join(root, "src", "jwt.ts"))',
    'globSync("packages/*/src/**/*.ts")',
  ])("rejects a test that reads source text: %s", (call) => {
    expect(problemsOf(`const text = ${call}; it("works", () => expect(text).toBe(1));`)).toEqual([
      source,
    ]);
  });

  it.each(["expect(true).toBe(true)", "expect(x).toEqual(x)", "expect( 1 ).toStrictEqual(1)"])(
    "rejects an assertion that cannot fail: %s",
    (assertion) => {
      expect(problemsOf(`it("works", () => { ${assertion}; });`)).toEqual([same]);
    },
  );

  it.each([
    'it.each([1, 2])("adds", (n) => expect(f(n)).toBe(n));',
    'it.effect.each([1, 2])("adds", (n) => expect(f(n)).toBe(n));',
    'describe.each([1, 2])("adding", (n) => {});',
  ])("rejects a table whose title does not show the case: %s", (text) => {
    expect(problemsOf(text)).toEqual([title]);
  });

  it.each(["%s", "$name", "%j"])("accepts a table whose title shows the case as %s", (shown) => {
    expect(problemsOf(`it.each(cases)("adds ${shown}", (n) => expect(f(n)).toBe(n));`)).toEqual([]);
  });

  it("names file and line", () => {
    const text =
      '\n\nit("one", () => {});\nit("two", () => expect(f()).toBe(1));\nit("three", () => {});\n';
    expect(problemsOf(text)).toEqual([
      "3 this test has no assertion",
      "5 this test has no assertion",
    ]);
  });
});
