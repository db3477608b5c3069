import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

if (Number(process.versions.node.split(".")[0]) < 24)
  throw new Error("Run the tests with npm test: they need Node 24, which npm puts first on PATH.");

export default defineConfig({
  ssr: { resolve: { conditions: ["@agent-auth/source", ...defaultServerConditions] } },
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    // The JSON report is for tools/src/test-summary.ts.
    reporters: ["default", "json"],
    outputFile: { json: ".results/tests.json" },
    // Generous, because CI machines are slow: only a hang reaches it.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
