import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

/**
 * Imports a module in a process that reports Node 20.0, and whose built-in modules have no functions that are newer: an
 * import of one by name fails before any module runs.
 */
const importOnNode20 = (path: string) => {
  const script = `const { registerHooks } = process.getBuiltinModule("node:module");
    const newer = ["getCACertificates", "hash", "enableCompileCache", "registerHooks"];
    registerHooks({
      load(url, context, next) {
        if (!url.startsWith("node:")) return next(url, context);
        const names = Object.keys(process.getBuiltinModule(url)).filter((name) => /^[A-Za-z_$][\\w$]*$/.test(name) && !newer.includes(name));
        const lines = names.filter((name) => name !== "default").map((name, at) => \`const n\${at} = all[\${JSON.stringify(name)}]; export { n\${at} as \${name} };\`);
        const source = \`const all = process.getBuiltinModule(\${JSON.stringify(url)}); export default all; \${lines.join(" ")}\`;
        return { format: "module", source, shortCircuit: true };
      },
    });
    Object.defineProperty(process, "versions", { value: { node: "20.0.0" } });
    import(${JSON.stringify(path)}).then(
      () => console.log("imported"),
      ({ code, message }) => console.log(code, message),
    );`;
  const args = ["--conditions=@agent-auth/source", "--input-type=module", "-e", script];
  const { stderr, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return stdout.trim() || stderr;
};

describe("an import by Node 20.0", () => {
  it.each([
    "login/src/index.ts",
    "login/src/promises/index.ts",
    "login/src/http/index.ts",
    "login/src/manager/index.ts",
    "agent-identity/src/index.ts",
  ])("rejects with a typed error, not because a function of Node is missing: %s", (module) => {
    expect(importOnNode20(join(import.meta.dirname, "../..", module))).toBe(
      "AGENT_IDENTITY_NODE_TOO_OLD @agent-auth needs Node 22.19 or later; this is 20.0.0",
    );
  });
});
