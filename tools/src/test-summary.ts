// Prints at the end of npm test and npm run proof how many tests ran in each package, and which were skipped: Nx does not.
// Its argument is the name of the reports, tests or proof.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { z } from "zod";

const Results = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

const root = resolve(import.meta.dirname, "../..");
const report = process.argv[2] ?? "tests";
const total = { passed: 0, failed: 0, skipped: 0 };

const countOf = (dir: string) => {
  const path = join(dir, `.results/${report}.json`);
  if (!existsSync(path)) return null;
  const { testResults } = Results.parse(JSON.parse(readFileSync(path, "utf8")));
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  // If a file does not load, or a hook before its tests fails, no test of the file is reported as failed.
  const broken = testResults
    .filter(({ status }) => status === "failed")
    .filter((file) => !file.assertionResults.some(({ status }) => status === "failed"))
    .map(({ name }) => relative(root, name));
  const named = (...statuses: ReadonlyArray<string>) =>
    tests.filter(({ status }) => statuses.includes(status)).map(({ fullName }) => fullName);
  return {
    passed: named("passed"),
    failed: [...named("failed"), ...broken],
    skipped: named("skipped", "pending", "todo", "disabled"),
  };
};

console.log("");
for (const manifest of globSync("{packages/*,tools,tools/playground,examples}/vitest.config.ts", {
  cwd: root,
}).toSorted()) {
  const name = dirname(manifest);
  const count = countOf(join(root, name));
  if (count === null) {
    if (report === "tests") console.log(`${name}: no results`);
    continue;
  }
  const { passed, failed, skipped } = count;
  total.passed += passed.length;
  total.failed += failed.length;
  total.skipped += skipped.length;
  console.log(
    `${name}: ${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`,
  );
  for (const test of failed) console.log(`  failed: ${test}`);
  for (const test of skipped) console.log(`  skipped: ${test}`);
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
