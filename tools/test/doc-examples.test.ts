import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { runExamples, typecheckExamples, writeExamples } from "../src/doc-examples/check.ts";
import {
  codeBlocksOf,
  type DocumentedExport,
  documentedExports,
} from "../src/doc-examples/extract.ts";

const root = join(import.meta.dirname, "../..");
const folder = join(root, "tools/.results/doc-examples");
const packages = new Map(
  globSync("packages/*/package.json", { cwd: root })
    .toSorted()
    .map((path) => dirname(path))
    .map((dir) => [basename(dir), documentedExports(join(root, dir))]),
);
const documents = new Map(
  globSync("docs/*.md", { cwd: root }).map((path) => [
    basename(path, ".md"),
    codeBlocksOf(readFileSync(join(root, path), "utf8")),
  ]),
);
const all = [...packages.values()].flat();
const withExamples = [...packages]
  .filter(([, exports]) => exports.some(({ examples }) => examples.length > 0))
  .map(([name]) => name);

const idsOf = (exports: ReadonlyArray<DocumentedExport>) => exports.map(({ id }) => id);

describe("docstrings", () => {
  it("describe every exported function and class", () => {
    const missing = all.filter(({ kind, doc }) => kind !== "other" && doc === "");
    expect(idsOf(missing)).toEqual([]);
  });

  // An error class is shown by the example of the predicate of its module, such as isLoginError.
  it("have an @example for every exported function and class but errors", () => {
    const required = all.filter(({ kind }) => kind === "function" || kind === "class");
    expect(idsOf(required.filter(({ examples }) => examples.length === 0))).toEqual([]);
  });
});

describe("examples in docstrings", () => {
  beforeAll(() => writeExamples(folder, packages, documents));

  it("pass the type check, as do the code blocks of docs/*.md", async () => {
    expect(documents.get("accept-agents")).not.toEqual([]);
    expect(await typecheckExamples(folder)).toBe("");
  });

  it.each(withExamples)("of %s run without a network", async (name) => {
    const { passed, failed } = await runExamples(join(folder, name));
    expect(failed).toEqual([]);
    expect(passed.length).toBe(
      (packages.get(name) ?? []).reduce((sum, { examples }) => sum + examples.length, 0),
    );
  });
});
