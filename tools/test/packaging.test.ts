import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const repository = join(import.meta.dirname, "../..");
let root: string;

const write = (path: string, content: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
};

/** A package that exports only `dist/index.js`. */
const writePackage = (extra: object = {}) =>
  write(
    "packages/small/package.json",
    JSON.stringify({
      name: "@agent-auth/small",
      version: "1.0.0",
      license: "Apache-2.0",
      type: "module",
      files: ["dist"],
      exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
      ...extra,
    }),
  );

const check = () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(repository, "tools/src/packaging.ts"), root],
    {
      encoding: "utf8",
      env: {
        ...process.env,
        PATH: `${join(repository, "node_modules/.bin")}${delimiter}${process.env["PATH"]}`,
      },
    },
  );
  return { status, problems: stderr };
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "packaging-"));
  write("package.json", '{ "name": "root" }');
  write("tools/layers.json", '{ "depConstraints": [] }');
  writePackage();
  write("packages/small/dist/index.js", "export const small = 1;\n");
  write("packages/small/dist/index.d.ts", "export declare const small = 1;\n");
});
afterEach(() => rmSync(root, { recursive: true }));

describe("packaging", () => {
  it("rejects a tarball with tests or with a path of this machine", () => {
    write("packages/small/dist/test/a.js", "export {};\n");
    write("packages/small/dist/b.js", `export const built = ${JSON.stringify(root)};\n`);
    const { status, problems } = check();
    expect(status).toBe(1);
    expect(problems).toContain("@agent-auth/small: the tarball contains dist/test/a.js");
    expect(problems).toContain("@agent-auth/small: b.js contains a path of this machine");
  });

  it.each(["dist/index.js", "dist/index.d.ts"])("rejects an export without its %s", (path) => {
    rmSync(join(root, "packages/small", path));
    const { status, problems } = check();
    expect(status).toBe(1);
    expect(problems).toContain("publint:");
    expect(problems).toContain(path);
  });

  it("rejects types that Node's resolution does not find", () => {
    write("packages/small/dist/index.d.ts", 'export * from "./other";\n');
    write("packages/small/dist/other.d.ts", "export declare const small = 1;\n");
    const { status, problems } = check();
    expect(status).toBe(1);
    expect(problems).toContain("attw:");
  });
});
