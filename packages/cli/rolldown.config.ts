import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { defineConfig, type RolldownOptions } from "rolldown";

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

// A launcher that loads nothing, and what it loads on demand. A hot command is a bundle of its own, so that it holds
// only what it uses; main shares chunks between the commands that it loads one at a time.
const bundle = (name: string, input: string): RolldownOptions => ({
  input: { [name]: input },
  platform: "node",
  // Native, optional, and looked for at run time.
  external: ["@napi-rs/keyring", "koffi"],
  resolve: { conditionNames: ["@agent-auth/source", "node", "import", "default"] },
  transform: { define: { __VERSION__: JSON.stringify(version) } },
  plugins: [
    {
      name: "launcher-loads-siblings",
      resolveId(id, importer) {
        const isSibling = importer?.endsWith("/src/bin.ts") === true && id.startsWith("./");
        return isSibling ? { id: `./${basename(id, ".ts")}.cjs`, external: true } : null;
      },
    },
  ],
  output: {
    dir: "dist",
    cleanDir: name === "agent-auth",
    format: "cjs",
    minify: true,
    codeSplitting: name !== "agent-auth",
    dynamicImportInCjs: false,
    entryFileNames: "[name].cjs",
    chunkFileNames: `chunks/${name}-[name]-[hash].cjs`,
  },
});

export default defineConfig([
  bundle("agent-auth", "src/bin.ts"),
  bundle("token", "src/hot/token.ts"),
  bundle("api", "src/hot/api.ts"),
  bundle("login-status", "src/hot/login-status.ts"),
  bundle("main", "src/main.ts"),
]);
