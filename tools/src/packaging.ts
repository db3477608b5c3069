// Would catch: a published package that lacks a file, whose types do not resolve, that imports what it does not
// declare, that fails on the oldest Node it promises, or that carries something it should not (tests, the name of a
// folder of this machine). It looks at the tarballs, since they are what users get.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { type Package, readWorkspace } from "./boundaries/workspace.ts";

const OLDEST_NODE = "22.19.0";

const root = resolve(process.argv[2] ?? `${import.meta.dirname}/../..`);
const problems: Array<string> = [];
const scratch = mkdtempSync(join(tmpdir(), "agent-auth-packaging-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const run = (command: string, args: ReadonlyArray<string>, cwd: string) => {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    shell: process.platform === "win32",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { isOk: status === 0, output: `${stdout}${stderr}`.trim(), stdout: stdout.trim() };
};

const expectOk = (
  what: string,
  command: string,
  args: ReadonlyArray<string>,
  cwd: string,
): string => {
  const { isOk, output, stdout } = run(command, args, cwd);
  if (!isOk) problems.push(`${what}:\n${output}`);
  return stdout;
};

interface Packed {
  readonly pkg: Package;
  readonly tarball: string;
}

/** npm prints an array, or an object by name; both have these values. */
const PackedFiles = z.object({
  filename: z.string(),
  files: z.array(z.object({ path: z.string() })),
});
const PackAnswer = z.union([z.array(PackedFiles), z.record(z.string(), PackedFiles)]);

const pack = (pkg: Package): Packed => {
  const printed = expectOk(
    `${pkg.manifest.name}: npm pack`,
    "npm",
    ["pack", "--json", "--pack-destination", scratch],
    pkg.dir,
  );
  const [answer] = Object.values(PackAnswer.parse(JSON.parse(printed)));
  if (!answer) throw new Error(`npm pack printed nothing for ${pkg.manifest.name}`);
  for (const { path } of answer.files)
    if (/(^|\/)(test|bench)\/|tsbuildinfo$|\.env/.test(path))
      problems.push(`${pkg.manifest.name}: the tarball holds ${path}`);
  return { pkg, tarball: join(scratch, answer.filename) };
};

const lint = ({ pkg, tarball }: Packed): void => {
  const { name } = pkg.manifest;
  expectOk(`${name}: publint`, "publint", ["run", tarball, "--strict"], root);
  if (!pkg.isBundled)
    expectOk(`${name}: attw`, "attw", [tarball, "--profile", "esm-only", "--no-emoji"], root);
};

const checkText = ({ pkg, tarball }: Packed): void => {
  const folder = join(scratch, `open-${pkg.manifest.name.replace("/", "-")}`);
  mkdirSync(folder);
  expectOk(`${pkg.manifest.name}: tar`, "tar", ["-xzf", tarball, "-C", folder], scratch);
  const unwanted = [root, ...(homedir().length > 1 ? [`${homedir()}/`] : [])];
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const text = readFileSync(join(entry.parentPath, entry.name), "utf8");
    if (unwanted.some((path) => text.includes(path)))
      problems.push(`${pkg.manifest.name}: ${entry.name} names a folder of this machine`);
  }
};

/** Imports every door and starts every binary where only the tarballs are installed. */
const checkInstalled = (packed: ReadonlyArray<Packed>): void => {
  const consumer = join(scratch, "consumer");
  mkdirSync(consumer);
  writeFileSync(join(consumer, "package.json"), '{ "private": true, "type": "module" }\n');
  const oldestNode =
    process.platform === "linux" ? [`node-linux-${process.arch}@${OLDEST_NODE}`] : [];
  const install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
  expectOk(
    "npm install of the tarballs",
    "npm",
    [...install, ...packed.map(({ tarball }) => tarball), ...oldestNode],
    consumer,
  );

  const doors = packed
    .flatMap(({ pkg }) =>
      Object.keys(pkg.manifest.exports)
        .filter((door) => !door.endsWith(".json"))
        .map((door) => `${pkg.manifest.name}${door.slice(1)}`),
    )
    .toSorted();
  writeFileSync(join(consumer, "doors.js"), doors.map((door) => `import "${door}";\n`).join(""));
  const nodes = [process.execPath];
  if (oldestNode.length > 0) nodes.push(join(consumer, "node_modules/.bin/node"));
  for (const node of nodes) {
    const version = expectOk("node --version", node, ["--version"], consumer);
    expectOk(`importing every door on ${version}`, node, ["doors.js"], consumer);
    for (const { pkg } of packed)
      for (const [name, path] of Object.entries(pkg.manifest.bin))
        expectOk(
          `${name} --version on ${version}`,
          node,
          [join(consumer, "node_modules", pkg.manifest.name, path), "--version"],
          consumer,
        );
    console.log(`${doors.length} doors and the binaries load on ${version}`);
  }
};

const packed = readWorkspace(root).packages.map(pack);
packed.forEach(lint);
packed.forEach(checkText);
if (problems.length === 0) checkInstalled(packed);
if (problems.length > 0) {
  console.error(problems.join("\n\n"));
  process.exitCode = 1;
} else {
  console.log(`${packed.length} tarballs are fit to publish`);
}
