import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

if (Number(process.versions.node.split(".")[0]) < 24)
  throw new Error("Run the tests with npm test: they need Node 24, which npm puts first on PATH.");

export default defineConfig({
  ssr: { resolve: { conditions: ["@agent-auth/source", ...defaultServerConditions] } },
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    // The second is for the count at the end of npm test: tools/src/test-summary.ts.
    reporters: ["default", "json"],
    outputFile: { json: ".results/tests.json" },
    // Machines are shared and noisy: a limit that only a hang meets.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
