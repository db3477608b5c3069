import { fileURLToPath } from "node:url";
import { defaultServerConditions } from "vite";
import { defineConfig, type UserWorkspaceConfig } from "vitest/config";

// Node 24 does not start in Wine 8 (tools/wine).
const oldest = process.platform === "win32" ? 22 : 24;
if (Number(process.versions.node.split(".")[0]) < oldest)
  throw new Error("Run the tests with npm test: they need Node 24, which npm puts first on PATH.");

// Tests start many processes of Node, which load the same modules: they share what V8 has compiled.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(
  new URL("node_modules/.cache/agent-auth-tests", import.meta.url),
);

export default defineConfig({
  ssr: { resolve: { conditions: ["@agent-auth/source", ...defaultServerConditions] } },
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    // Most of the time would go into importing the sources and Effect anew for each file. So the files of a package share
    // their modules (0081): a test file leaves no state behind, and a module below test/support registers no hooks when it
    // is imported.
    pool: "forks",
    isolate: false,
    // The JSON report is for tools/src/test-summary.ts.
    reporters: ["default", "json"],
    outputFile: { json: ".results/tests.json" },
    // Generous, because CI machines are slow: only a hang reaches it.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

/**
 * Leaves the heavy files to `npm run proof`, which runs only them; `npm test` runs the others. CI runs both, and vitest
 * started by hand knows all files.
 */
export const withHeavyFiles = (
  config: UserWorkspaceConfig,
  heavy: ReadonlyArray<string>,
): UserWorkspaceConfig => {
  const files = heavy.map((name) => `test/${name}.test.ts`);
  switch (process.env["AGENT_AUTH_PROOF"]) {
    case "0":
      return { ...config, test: { ...config.test, exclude: ["**/node_modules/**", ...files] } };
    case "1":
      return { ...config, test: { ...config.test, include: files } };
    default:
      return config;
  }
};
