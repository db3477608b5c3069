// npm run test:executable: builds this platform's executable and runs the command line's test suite against it; arguments go
// to vitest.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./packages.ts";
import { hostTarget } from "./targets.ts";

const cwd = join(root, "packages/cli");
const node = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, args, { cwd, stdio: "inherit", env: { ...process.env, ...env } })
    .status ?? 1;

const built = node([join(import.meta.dirname, "main.ts")]);
if (built !== 0) process.exit(built);
const report = join(cwd, ".results/executable.json");
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const args = ["run", `--outputFile.json=${report}`, ...process.argv.slice(2)];
process.exitCode = node([vitest, ...args], {
  AGENT_AUTH_BINARY: join(root, "dist", hostTarget().file),
});

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: ReadonlyArray<{
    readonly assertionResults: ReadonlyArray<{
      readonly status: string;
      readonly fullName: string;
    }>;
  }>;
}

const { numFailedTests, numPassedTests, testResults }: Report = JSON.parse(
  readFileSync(report, "utf8"),
);
const skipped = testResults
  .flatMap(({ assertionResults }) => assertionResults)
  .filter(({ status }) => status === "pending" || status === "skipped");
for (const { fullName } of skipped) console.log(`skipped: ${fullName}`);
console.log(
  `executable: ${numPassedTests} passed, ${numFailedTests} failed, ${skipped.length} skipped`,
);
