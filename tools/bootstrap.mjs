// Runs one of the project's tasks on a machine that has only npm: installs the lock file's packages if they are missing
// or out of date, then starts the task with the workspace's own Node first on PATH. Plain JavaScript without
// dependencies, because it runs on the machine's own Node (20 or later).
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [task, ...rest] = process.argv.slice(2);
const isWindows = process.platform === "win32";
const binFolder = join(root, "node_modules", ".bin");
const stamp = join(root, "node_modules", ".installed-lock");

const environment = {
  ...process.env,
  PATH: `${binFolder}${delimiter}${process.env.PATH ?? ""}`,
};

const run = (command, args) => {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: isWindows,
    env: environment,
  });
  if (error) console.error(`${command} did not start: ${error.message}`);
  return status ?? 1;
};

const lockHash = () =>
  createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");

const isInstalled = () => existsSync(stamp) && readFileSync(stamp, "utf8") === lockHash();

if (!isInstalled()) {
  console.error("Installing dependencies (npm ci) …");
  const status = run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  if (status !== 0) process.exit(status);
  writeFileSync(stamp, lockHash());
}

const node = (script) => run("node", [join("tools", script), ...rest]);

/** Builds; prints the output only if the build fails. */
const build = () => {
  console.error("Building …");
  const { status, stdout } = spawnSync("nx", ["run-many", "-t", "build"], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    shell: isWindows,
    env: environment,
  });
  if (status !== 0) console.error(stdout);
  return status ?? 1;
};

const tasks = {
  demo: () => build() || node("playground/src/demo.ts"),
  try: () => build() || node("playground/src/try.ts"),
  api: () => build() || node("src/public-api/index.ts"),
  /** One file for each target, in dist (packages/cli/executable). */
  executable: () => build() || run("node", ["packages/cli/executable/main.ts", ...rest]),
  "proof:executable": () => build() || run("node", ["packages/cli/executable/check.ts"]),
  bench: () =>
    build() ||
    run("nx", [
      "run-many",
      "-t",
      "bench",
      "--parallel=1",
      "--outputStyle=static",
      "--nxBail=false",
      ...rest,
    ]),
  /** The heavy tests at their full size (tools/src/proof.ts). */
  proof: () => {
    environment.AGENT_AUTH_PROOF = "1";
    const status = run("nx", ["run-many", "-t", "proof", "--outputStyle=static", ...rest]);
    return run("node", [join("tools", "src/test-summary.ts"), "proof"]) || status;
  },
  /** Bundlers and frameworks with the packed packages (tools/src/consumers.ts). */
  consumers: () => build() || node("src/consumers.ts"),
  /** Tests of Windows programs (tools/src/wine). */
  wine: () => build() || node("src/wine/index.ts"),
  /** All but the heavy files, which are left to npm run proof (vitest.shared.ts). */
  test: () => {
    environment.AGENT_AUTH_PROOF = "0";
    const targets = ["boundaries", "lint", "typecheck", "build", "api", "test", "packaging"];
    const status = run("nx", ["run-many", "-t", ...targets, ...rest]);
    return run("node", [join("tools", "src/test-summary.ts")]) || status;
  },
};

const work = tasks[task];
if (!work) {
  console.error(`unknown task ${task}; the tasks are ${Object.keys(tasks).join(", ")}`);
  process.exit(2);
}
process.exit(work());
