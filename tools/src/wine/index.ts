// npm run wine [-- PACKAGE …] [-- --update] [-- --executable FILE]: runs the tests that expected.json names as Windows
// programs under Wine, and compares the failures with expected.json. --update rewrites that list; what it adds
// has to be explained. --executable names the program for tests of the command line, once the list has some.
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { compare, List, Results, type Suite, updated } from "./compare.ts";
import { missingPrograms, prepare, type Wine, windowsPath } from "./prepare.ts";

const root = resolve(import.meta.dirname, "../../..");
const listFile = join(import.meta.dirname, "expected.json");

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

/** Runs the tests of a package; returns what the reporter wrote. Outputs must be files: pipes do not work. */
const runTests = (wine: Wine, name: string, suite: Suite, executable?: string): Results => {
  const folder = join(root, "packages", name, ".results");
  mkdirSync(folder, { recursive: true });
  const report = join(folder, "wine.json");
  rmSync(report, { force: true });
  const output = openSync(join(folder, "wine.log"), "w");
  const vitest = windowsPath(join(root, "node_modules", "vitest", "vitest.mjs"));
  const args = ["run", "--pool=threads", `--outputFile.json=${windowsPath(report)}`];
  try {
    spawnSync("wine", [wine.node, vitest, ...args, ...suite.files], {
      cwd: join(root, "packages", name),
      stdio: ["ignore", output, output],
      env: {
        ...wine.env,
        AGENT_AUTH_PROOF: "", // also the heavy files that the list names
        ...(executable === undefined ? {} : { AGENT_AUTH_BINARY: windowsPath(executable) }),
      },
    });
  } finally {
    closeSync(output);
  }
  return Results.parse(readJson(report));
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { update: { type: "boolean" }, executable: { type: "string" } },
});

const missing = missingPrograms();
if (missing !== undefined) {
  console.error(`${missing}. Run: tools/debian-packages.sh --wine`);
  process.exit(1);
}

const list = List.parse(readJson(listFile));
const wine = prepare(root);
const executable = values.executable === undefined ? undefined : resolve(values.executable);
let isFine = true;
for (const [name, suite] of Object.entries(list)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const started = performance.now();
  const found = compare(
    runTests(wine, name, suite, executable),
    suite,
    join(root, "packages", name),
  );
  const seconds = Math.round((performance.now() - started) / 1000);
  const { failed, notFailed, passed, unexpected } = found;
  console.log(`${name}: ${passed} passed, ${failed.length} failed, in ${seconds} s`);
  if (values.update === true) list[name] = updated(suite, found);
  for (const test of unexpected) console.log(`  failed unexpectedly: ${test}`);
  for (const test of notFailed) console.log(`  was expected to fail, and did not: ${test}`);
  isFine &&= unexpected.length + notFailed.length === 0;
}
if (values.update === true) writeFileSync(listFile, `${JSON.stringify(list, null, 2)}\n`);
else if (!isFine) {
  console.log(`the output is in packages/*/.results/wine.log; the list is ${dirname(listFile)}`);
  process.exitCode = 1;
}
