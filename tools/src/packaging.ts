// Fails if a published package lacks a file, if its types do not resolve, if it imports what it does not declare, if it does
// not load on the oldest supported Node, or if it contains tests or paths of this machine. It checks the tarballs.
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

/** npm prints an array, or an object by name, with these values. */
const PackedFiles = z.object({
  filename: z.string(),
  files: z.array(z.object({ path: z.string() })),
});
const PackOutput = z.union([z.array(PackedFiles), z.record(z.string(), PackedFiles)]);

const pack = (pkg: Package): Packed => {
  const printed = expectOk(
    `${pkg.manifest.name}: npm pack`,
    "npm",
    ["pack", "--json", "--pack-destination", scratch],
    pkg.dir,
  );
  const [packedFiles] = Object.values(PackOutput.parse(JSON.parse(printed)));
  if (!packedFiles) throw new Error(`npm pack printed nothing for ${pkg.manifest.name}`);
  for (const { path } of packedFiles.files)
    if (/(^|\/)(test|bench)\/|tsbuildinfo$|\.env/.test(path))
      problems.push(`${pkg.manifest.name}: the tarball contains ${path}`);
  return { pkg, tarball: join(scratch, packedFiles.filename) };
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
      problems.push(`${pkg.manifest.name}: ${entry.name} contains a path of this machine`);
  }
};

/** Signs in and out with an API key, and fails if Node prints a warning, such as that node:sqlite is experimental. */
const checkWarnings = (node: string, version: string, cli: string): void => {
  const home = mkdtempSync(join(scratch, "home-"));
  for (const words of [["login", "--with-api-key"], ["login", "status"], ["token"], ["logout"]]) {
    const { status, stderr } = spawnSync(node, [cli, ...words], {
      encoding: "utf8",
      input: "sk-proj-1234567890ABCDE\n",
      env: { PATH: process.env["PATH"], HOME: home, CODEX_HOME: home },
    });
    if (status !== 0 || /Warning/u.test(stderr))
      problems.push(
        `agent-auth ${words.join(" ")} on ${version} exited with ${status}:\n${stderr}`,
      );
  }
};

/** Imports every export and starts every binary in a folder in which only the tarballs are installed. */
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

  const entryPoints = packed
    .flatMap(({ pkg }) =>
      Object.keys(pkg.manifest.exports)
        .filter((subpath) => !subpath.endsWith(".json"))
        .map((subpath) => `${pkg.manifest.name}${subpath.slice(1)}`),
    )
    .toSorted();
  writeFileSync(
    join(consumer, "entry-points.js"),
    entryPoints.map((id) => `import "${id}";\n`).join(""),
  );
  writeFileSync(
    join(consumer, "entry-points.cjs"),
    entryPoints.map((id) => `require("${id}");\n`).join(""),
  );
  const nodes = [process.execPath];
  if (oldestNode.length > 0) nodes.push(join(consumer, "node_modules/.bin/node"));
  for (const node of nodes) {
    const version = expectOk("node --version", node, ["--version"], consumer);
    expectOk(`importing every entry point on ${version}`, node, ["entry-points.js"], consumer);
    expectOk(`requiring every entry point on ${version}`, node, ["entry-points.cjs"], consumer);
    for (const { pkg } of packed)
      for (const [name, path] of Object.entries(pkg.manifest.bin))
        expectOk(
          `${name} --version on ${version}`,
          node,
          [join(consumer, "node_modules", pkg.manifest.name, path), "--version"],
          consumer,
        );
    const cli = packed.flatMap(({ pkg: { manifest } }) => {
      const path = manifest.bin["agent-auth"];
      return path === undefined ? [] : [join(consumer, "node_modules", manifest.name, path)];
    });
    for (const path of cli) checkWarnings(node, version, path);
    console.log(`${entryPoints.length} entry points and the binaries load on ${version}`);
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
  console.log(`${packed.length} tarballs are ready to publish`);
}
