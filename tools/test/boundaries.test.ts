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
  it("accepts imports from a lower layer, and of a test-only layer from tests", () => {
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
  ])("rejects a %s import from a higher layer", (_, source) => {
    write("packages/low/src/index.ts", `${source}\n`);
    expect(problemsOf("low")).toEqual([
      "src/index.ts imports @agent-auth/high, which its package.json does not declare",
      "src/index.ts imports @agent-auth/high, which is not in a lower layer",
    ]);
  });

  it("rejects a declared dependency on a higher layer", () => {
    write(
      "packages/low/package.json",
      manifest("low", "layer:low", { dependencies: { "@agent-auth/high": "1" } }),
    );
    expect(problemsOf("low")).toEqual([
      "package.json depends on @agent-auth/high, which is not in a lower layer",
    ]);
  });

  it("rejects a test-only layer in shipped source", () => {
    write("packages/high/src/index.ts", 'import "@agent-auth/neighbour";\n');
    expect(problemsOf("high")).toContain(
      "src/index.ts imports @agent-auth/neighbour, which is not in a lower layer",
    );
  });

  it("rejects undeclared packages, files of other packages and computed imports", () => {
    write(
      "packages/high/src/index.ts",
      'import "effect"; import "../../low/src/index.ts"; export const load = (id: string) => import(id);\n',
    );
    expect(problemsOf("high")).toEqual([
      "src/index.ts has an import() whose argument is not a literal",
      "src/index.ts imports effect, which its package.json does not declare",
      "src/index.ts imports a file outside its package: ../../low/src/index.ts",
    ]);
  });

  it("lets tests import a computed name", () => {
    write("packages/high/test/a.test.ts", "export const load = (id: string) => import(id);\n");
    expect(problemsOf("high")).toEqual([]);
  });

  it("rejects a tag that layers.json does not have, and a package without a tag", () => {
    write("packages/low/package.json", manifest("low", "layer:cellar"));
    expect(problemsOf("low")).toEqual(["layer:cellar is not in tools/layers.json"]);
    write("packages/low/package.json", { name: "@agent-auth/low" });
    expect(problemsOf("low")).toEqual(["has 0 layer tags in package.json; it needs exactly one"]);
  });

  it("rejects an import that its package does not export, and an export without a file", () => {
    write("packages/high/README.md", 'import { x } from "@agent-auth/low/cellar"\n');
    expect(problemsOf("high")).toEqual([
      "README.md imports @agent-auth/low/cellar, which @agent-auth/low does not export",
    ]);
    rmSync(join(root, "packages/low/src/index.ts"));
    expect(problemsOf("low")).toEqual([
      'exports "." (@agent-auth/source) names ./src/index.ts, which does not exist',
    ]);
  });
});

describe("circular imports", () => {
  it("accepts modules that import each other in one direction", () => {
    write("packages/low/src/index.ts", 'import "./a.ts"; import "./b.ts";\n');
    write("packages/low/src/a.ts", 'import "./b.ts"; export {};\n');
    write("packages/low/src/b.ts", "export {};\n");
    expect(problemsOf("low")).toEqual([]);
  });

  it.each([
    ["a value", 'import { b } from "./b.ts"; b;'],
    ["a side effect", 'import "./b.ts";'],
    ["a type", 'import type { B } from "./b.ts"; export type A = B;'],
    ["an inline type", 'import { type B } from "./b.ts"; export type A = B;'],
    ["a type expression", 'export type A = import("./b.ts").B;'],
    ["a namespace", 'import * as all from "./b.ts"; all;'],
    ["import()", 'export const load = () => import("./b.ts");'],
    ["require()", 'declare const require: (id: string) => unknown; require("./b.ts");'],
    ["a named re-export", 'export { b } from "./b.ts";'],
    ["a type re-export", 'export type { B } from "./b.ts";'],
    ["a re-export of all", 'export * from "./b.ts";'],
    ["a re-export as namespace", 'export * as all from "./b.ts";'],
  ])("are rejected if one side imports %s", (_, source) => {
    write("packages/low/src/a.ts", `${source}\n`);
    write("packages/low/src/b.ts", 'import "./a.ts"; export type B = 1; export const b = 1;\n');
    expect(problemsOf("low")).toEqual(["circular import: src/a.ts → src/b.ts → src/a.ts"]);
  });

  it("are rejected through the package's own name", () => {
    write("packages/low/src/index.ts", 'export * from "./a.ts";\n');
    write(
      "packages/low/src/a.ts",
      'import type { B } from "@agent-auth/low"; export type A = B;\n',
    );
    expect(problemsOf("low")).toEqual(["circular import: src/a.ts → src/index.ts → src/a.ts"]);
  });

  it("are rejected in a file that imports itself, and among tests", () => {
    write("packages/low/src/a.ts", 'export type A = import("./a.ts").A;\n');
    write("packages/low/test/b.ts", 'import "./c.ts";\n');
    write("packages/low/test/c.ts", 'import type {} from "./b.ts";\n');
    expect(problemsOf("low")).toEqual([
      "circular import: src/a.ts → src/a.ts",
      "circular import: test/b.ts → test/c.ts → test/b.ts",
    ]);
  });

  it("are all named, each group of files once", () => {
    const imports = { a: "bz", b: "c", c: "ad", d: "a", x: "y", y: "x" };
    for (const [file, ids] of Object.entries(imports))
      write(
        `packages/low/src/${file}.ts`,
        ids
          .split("")
          .map((id) => `import "./${id}.ts";\n`)
          .join(""),
      );
    write("packages/low/src/z.ts", "export {};\n");
    expect(problemsOf("low")).toEqual([
      "circular import: src/a.ts → src/b.ts → src/c.ts → src/a.ts (4 files in all: src/a.ts, src/b.ts, src/c.ts, src/d.ts)",
      "circular import: src/x.ts → src/y.ts → src/x.ts",
    ]);
  });
});

describe("file names", () => {
  it.each(["src", "test", "bench"])(
    "rejects a file in %s beside a folder of its name",
    (folder) => {
      write(`packages/low/${folder}/jwt.ts`, "export {};\n");
      write(`packages/low/${folder}/jwt/verify.ts`, "export {};\n");
      expect(problemsOf("low")).toEqual([
        `${folder}/jwt.ts and the folder ${folder}/jwt have the same name: move the file to ${folder}/jwt/index.ts`,
      ]);
    },
  );

  it("accepts a test file beside a folder named for its subject", () => {
    write("packages/low/test/jwt.test.ts", "export {};\n");
    write("packages/low/test/jwt/vectors.ts", "export {};\n");
    expect(problemsOf("low")).toEqual([]);
  });
});
