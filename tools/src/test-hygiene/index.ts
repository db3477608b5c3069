// Fails if a test has no assertion that can fail, accepts any error, reads source text, or hides the cases of a table.
import { globSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { checkTestFile } from "./check.ts";

const root = resolve(process.argv[2] ?? join(import.meta.dirname, "../../.."));
const files = globSync("{packages/*,tools,tools/playground,examples}/test/**/*.ts", { cwd: root })
  .filter((file) => !/node_modules|\/types\//.test(file))
  .toSorted();
const problems = files
  .flatMap((file) => checkTestFile(join(root, file)))
  .map((problem) => relative(root, problem));
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
} else {
  console.log(`${files.length} test files keep the rules`);
}
