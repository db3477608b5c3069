import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkPackage } from "../src/boundaries/check.ts";
import { readWorkspace } from "../src/boundaries/workspace.ts";

let root: string;

const write = (path: string, content: unknown) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(
    join(root, path),
    typeof content === "string" ? content : JSON.stringify(content, null, 2),
  );
};

const manifest = (name: string, tag: string, extra: object = {}) => ({
  name: `@agent-auth/${name}`,
  exports: { ".": { "@agent-auth/source": "./src/index.ts" } },
  nx: { tags: [tag] },
  ...extra,
});

const problemsOf = (name: string) => {
  const workspace = readWorkspace(root);
  const pkg = workspace.byName.get(`@agent-auth/${name}`);
  if (!pkg) throw new Error(`no package ${name}`);
  return checkPackage(workspace, pkg);
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "boundaries-"));
  write("package.json", { name: "root", devDependencies: { vitest: "1" } });
  write("tools/layers.json", {
    depConstraints: [
      { sourceTag: "layer:low", source: [], tests: [] },
      { sourceTag: "layer:high", source: ["layer:low"], tests: ["layer:neighbour"] },
      { sourceTag: "layer:neighbour", source: ["layer:low"], tests: [] },
    ],
  });
  write("packages/low/package.json", manifest("low", "layer:low"));
  write("packages/low/src/index.ts", "export const low = 1;\n");
  write(
    "packages/high/package.json",
    manifest("high", "layer:high", {
      dependencies: { "@agent-auth/low": "1", zod: "4" },
      devDependencies: { "@agent-auth/neighbour": "1" },
    }),
  );
  write("packages/high/src/index.ts", 'export { low } from "@agent-auth/low";\n');
  write("packages/neighbour/package.json", manifest("neighbour", "layer:neighbour"));
  write("packages/neighbour/src/index.ts", "export {};\n");
});
afterEach(() => rmSync(root, { recursive: true }));

describe("checkPackage", () => {
  it("accepts imports of a lower floor, and of a neighbour from tests", () => {
    write("packages/high/test/a.test.ts", 'import "@agent-auth/neighbour"; import "vitest";\n');
    expect(problemsOf("high")).toEqual([]);
    expect(problemsOf("low")).toEqual([]);
  });

  it.each([
    ["static", 'import { high } from "@agent-auth/high"; high;'],
    ["type-only", 'import type { High } from "@agent-auth/high"; export type A = High;'],
    ["dynamic", 'export const load = () => import("@agent-auth/high");'],
    ["import type expression", 'export type A = import("@agent-auth/high").High;'],
    ["re-export", 'export * from "@agent-auth/high";'],
    ["require", 'declare const require: (id: string) => unknown; require("@agent-auth/high");'],
  ])("refuses a %s import of a higher floor", (_, source) => {
    write("packages/low/src/index.ts", `${source}\n`);
    expect(problemsOf("low")).toEqual([
      "src/index.ts imports @agent-auth/high, which its package.json does not declare",
      "src/index.ts imports @agent-auth/high, which is not a floor below it",
    ]);
  });

  it("refuses a declared dependency on a higher floor", () => {
    write(
      "packages/low/package.json",
      manifest("low", "layer:low", { dependencies: { "@agent-auth/high": "1" } }),
    );
    expect(problemsOf("low")).toEqual([
      "package.json depends on @agent-auth/high, which is not a floor below it",
    ]);
  });

  it("refuses the neighbour in shipped source", () => {
    write("packages/high/src/index.ts", 'import "@agent-auth/neighbour";\n');
    expect(problemsOf("high")).toContain(
      "src/index.ts imports @agent-auth/neighbour, which is not a floor below it",
    );
  });

  it("refuses undeclared packages, relative escapes and computed imports", () => {
    write(
      "packages/high/src/index.ts",
      'import "effect"; import "../../low/src/index.ts"; export const load = (id: string) => import(id);\n',
    );
    expect(problemsOf("high")).toEqual([
      "src/index.ts has an import() that is not of a literal",
      "src/index.ts imports effect, which its package.json does not declare",
      "src/index.ts reaches out of its package: ../../low/src/index.ts",
    ]);
  });

  it("lets tests load by a computed name", () => {
    write("packages/high/test/a.test.ts", "export const load = (id: string) => import(id);\n");
    expect(problemsOf("high")).toEqual([]);
  });

  it("refuses a tag without a line, and a package without a tag", () => {
    write("packages/low/package.json", manifest("low", "layer:cellar"));
    expect(problemsOf("low")).toEqual(["layer:cellar has no line in tools/layers.json"]);
    write("packages/low/package.json", { name: "@agent-auth/low" });
    expect(problemsOf("low")).toEqual(["has 0 layer tags in package.json, where one is needed"]);
  });

  it("refuses modules that import each other in a circle, but not through types", () => {
    write("packages/low/src/index.ts", 'import "./a.ts";\n');
    write("packages/low/src/a.ts", 'import type { B } from "./b.ts"; export type A = B;\n');
    write(
      "packages/low/src/b.ts",
      'import { type A } from "./a.ts"; import "./a.ts"; export type B = A;\n',
    );
    expect(problemsOf("low")).toEqual([]);
    write("packages/low/src/a.ts", 'import { b } from "./b.ts"; b;\n');
    expect(problemsOf("low")).toEqual([
      "modules import each other in a circle: src/a.ts → src/b.ts → src/a.ts",
    ]);
  });

  it("refuses a door that is named but not exported, and one that leads nowhere", () => {
    write("packages/high/README.md", 'import { x } from "@agent-auth/low/cellar"\n');
    expect(problemsOf("high")).toEqual([
      "README.md names the door @agent-auth/low/cellar, which @agent-auth/low does not export",
    ]);
    rmSync(join(root, "packages/low/src/index.ts"));
    expect(problemsOf("low")).toEqual([
      'exports "." (@agent-auth/source) names ./src/index.ts, which does not exist',
    ]);
  });
});
