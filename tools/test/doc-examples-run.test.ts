import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runExamples } from "../src/doc-examples/check.ts";
import { codeBlocksOf, documentedExports, examplesOf } from "../src/doc-examples/extract.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "doc-examples-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (path: string, content: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
};

describe("examplesOf", () => {
  it("finds the code of every @example, and no other code", () => {
    const doc = [
      "Adds.",
      "```ts",
      "notAnExample();",
      "```",
      "@example Two numbers",
      "```ts",
      "sum(1, 2);",
      "",
      "@decorated class A {}",
      "```",
      "and three:",
      "```ts",
      "sum(1, 2, 3);",
      "```",
      "@returns",
      "```ts",
      "neither();",
      "```",
    ].join("\n");
    expect(examplesOf(doc)).toEqual(["sum(1, 2);\n\n@decorated class A {}\n", "sum(1, 2, 3);\n"]);
  });
});

describe("codeBlocksOf", () => {
  it("finds every TypeScript block of a document, and no other code", () => {
    const document = [
      "# A page",
      "```ts",
      "sum(1, 2);",
      "",
      "```",
      "```sh",
      "sum 1 2",
      "```",
      "1. A step:",
      "",
      "   ```ts",
      "   sum(3);",
      "   ```",
    ].join("\n");
    expect(codeBlocksOf(document)).toEqual(["sum(1, 2);\n\n", "   sum(3);\n"]);
  });
});

describe("documentedExports", () => {
  it("tells functions, classes and errors from other exports, however they are written", () => {
    write(
      "package.json",
      JSON.stringify({ name: "p", exports: { ".": { "@agent-auth/source": "./index.ts" } } }),
    );
    write(
      "index.ts",
      [
        "/** Documented. */",
        "export const arrow = (): void => {};",
        "export function declared(): void {}",
        'export const traced = Effect.fn("p.traced")(function* () {});',
        "export const untraced = Effect.fnUntraced(function* () {});",
        "export const typed: (a: string) => void = make();",
        "export class Service extends Context.Service<Service>() {}",
        'export class Gone extends Data.TaggedError("Gone")<{}> {}',
        "export const limit = 1;",
        "export interface Options {}",
        "/** Not exported. */",
        "const hidden = () => {};",
      ].join("\n"),
    );
    expect(documentedExports(folder).map(({ id, kind, doc }) => [id, kind, doc])).toEqual([
      ["p#Gone", "error", ""],
      ["p#Options", "other", ""],
      ["p#Service", "class", ""],
      ["p#arrow", "function", "Documented."],
      ["p#declared", "function", ""],
      ["p#limit", "other", ""],
      ["p#traced", "function", ""],
      ["p#typed", "function", ""],
      ["p#untraced", "function", ""],
    ]);
  });
});

describe("runExamples", () => {
  it("runs each example, also after a failed one", async () => {
    write("a.ts", 'throw new Error("this example fails");');
    write("b.ts", "console.log(1); process.exitCode = 1; export {};");
    write("c.ts", "process.exit(0);");
    write(
      "d.ts",
      'await Promise.all([new Promise(() => {}), Promise.reject("later")]); export {};',
    );
    write("e.ts", "setInterval(() => {}, 1000); export {};");
    const { passed, failed } = await runExamples(folder);
    expect(passed).toEqual(["b.ts", "e.ts"]);
    expect(failed.map((problem) => problem.split("\n")[0])).toEqual([
      "a.ts: Error: this example fails",
      "c.ts: Error: the example calls process.exit(0)",
      "d.ts: later",
    ]);
  });

  it("names the example that ends the process", async () => {
    write("a.ts", "process.kill(process.pid, 'SIGKILL'); export {};");
    const { failed } = await runExamples(folder);
    expect(failed.map((problem) => problem.split("\n")[0])).toEqual([
      "a.ts: the process ended while it ran",
    ]);
  });

  it.each([
    [
      "fetch",
      'await fetch("http://192.0.2.1/").catch((error) => { throw error.cause; }); export {};',
    ],
    [
      "a socket",
      'import { connect } from "node:net"; await new Promise((_, fail) => connect(80, "192.0.2.1").on("error", fail));',
    ],
    [
      "https",
      'import { get } from "node:https"; await new Promise((_, fail) => get("https://192.0.2.1/").on("error", fail));',
    ],
  ])("fails an example that connects to another host with %s", async (_, code) => {
    write("a.ts", code);
    const { failed } = await runExamples(folder);
    expect(failed).toHaveLength(1);
    expect(failed[0]).toContain("examples run offline, and this one connects to 192.0.2.1");
  });

  it("lets an example connect to loopback", async () => {
    write(
      "a.ts",
      [
        'import { createServer } from "node:http";',
        'const server = createServer((_, outgoing) => outgoing.end("hello")).listen(0, "127.0.0.1");',
        'await new Promise((done) => server.once("listening", done));',
        "const response = await fetch(`http://127.0.0.1:${server.address().port}/`);",
        'if ((await response.text()) !== "hello") throw new Error("no hello");',
      ].join("\n"),
    );
    expect(await runExamples(folder)).toEqual({ passed: ["a.ts"], failed: [] });
  });
});
