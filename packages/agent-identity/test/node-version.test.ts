import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

/** Imports a module of this package in a process that reports another version of Node. */
const importOn = (node: string, module: string, more: object = {}) => {
  const path = join(import.meta.dirname, "../src", module);
  const script = `Object.defineProperty(process, "versions", { value: ${JSON.stringify({ node, ...more })} });
    import(${JSON.stringify(path)}).then(
      () => console.log("imported"),
      ({ name, code, message, hint, remedy, found }) =>
        console.log(JSON.stringify({ name, code, message, hint, remedy, found })),
    );`;
  const { stdout } = spawnSync(
    process.execPath,
    ["--conditions=@agent-auth/source", "--input-type=module", "-e", script],
    { encoding: "utf8" },
  );
  return stdout.trim();
};

describe("an import by a Node that is too old", () => {
  it.each([
    ["20.19.0", "index.ts"],
    ["22.18.9", "promises/index.ts"],
    ["16.0.0", "jwt/index.ts"],
  ])("rejects with a typed error: Node %s, %s", (node, module) => {
    expect(JSON.parse(importOn(node, module))).toEqual({
      name: "NodeTooOld",
      code: "AGENT_IDENTITY_NODE_TOO_OLD",
      message: `@agent-auth needs Node 22.19 or later; this is ${node}`,
      hint: "Install a newer Node.",
      remedy: "fixEnvironment",
      found: node,
    });
  });

  it.each([
    ["Bun", "1.2.0", "22.6.0"],
    ["Deno", "2.0.0", "20.11.1"],
  ])("names %s %s, which is compatible with Node %s", (name, version, node) => {
    expect(JSON.parse(importOn(node, "index.ts", { [name.toLowerCase()]: version }))).toMatchObject(
      {
        message: `@agent-auth needs Node 22.19 or later; this is ${name} ${version}, which is compatible with Node ${node}`,
        hint: `Install a newer ${name}.`,
        found: node,
      },
    );
  });

  it.each(["22.19.0", "24.0.0"])("succeeds on Node %s", (node) => {
    expect(importOn(node, "index.ts")).toBe("imported");
  });
});
