// Writes the API report of every package (packages/*/api.md), or with --check fails if one is out of date: a change of
// the public API must be seen in review.
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { readManifest } from "../boundaries/workspace.ts";
import { apiReport } from "./report.ts";

const { values, positionals } = parseArgs({
  options: { check: { type: "boolean", default: false } },
  allowPositionals: true,
});
const root = resolve(positionals[0] ?? join(import.meta.dirname, "../../.."));
const outdated: Array<string> = [];
for (const path of globSync("packages/*/package.json", { cwd: root }).toSorted()) {
  const dir = join(root, dirname(path));
  const isLibrary = Object.values(readManifest(dir).exports).some((to) => typeof to === "object");
  if (!isLibrary) continue;
  const report = apiReport(dir);
  const target = join(dir, "api.md");
  if (existsSync(target) && readFileSync(target, "utf8") === report) continue;
  outdated.push(join(dirname(path), "api.md"));
  if (!values.check) writeFileSync(target, report);
}
if (!values.check) {
  console.log(outdated.length === 0 ? "no API report changed" : `wrote ${outdated.join(", ")}`);
} else if (outdated.length > 0) {
  console.error(
    `${outdated.join(", ")} does not match the code. Run npm run api and commit the result; ` +
      "if users will notice the change, add a changeset (npx changeset).",
  );
  process.exitCode = 1;
}
