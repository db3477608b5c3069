// Runs one of the project's tasks on a machine that has nothing but npm: installs what the lock file asks for where
// it is missing or out of date, then starts the task with the workspace's own Node first on PATH. Plain JavaScript
// without dependencies, since it runs on whatever Node the machine has (20 and later).
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

const run = (command, args) => {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: isWindows,
    env: { ...process.env, PATH: `${binFolder}${delimiter}${process.env.PATH ?? ""}` },
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
  console.error("Installing what is missing (npm ci) …");
  const status = run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  if (status !== 0) process.exit(status);
  writeFileSync(stamp, lockHash());
}
process.exit(run("npm", ["run", "--silent", `task:${task}`, "--", ...rest]));
