import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UsageProblem } from "./targets.ts";

export const root = join(import.meta.dirname, "../../..");
const cache = join(root, "node_modules/.cache/agent-auth-executable");

interface LockFile {
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly integrity: string } | undefined>
  >;
}

/** The version and the integrity of a package in package-lock.json, which lists the packages of every platform. */
const locked = (name: string) => {
  const { packages }: LockFile = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const found = packages[`node_modules/${name}`];
  if (found === undefined) throw new UsageProblem(`package-lock.json does not list ${name}`);
  return found;
};

export const lockedVersion = (name: string): string => locked(name).version;

/**
 * Returns the folder of a package. npm installs those of its own platform only; those of others are downloaded, checked
 * against package-lock.json, and kept below node_modules.
 */
export const packageFolder = (name: string): string => {
  const installed = join(root, "node_modules", name);
  if (existsSync(installed)) return installed;
  const { version, integrity } = locked(name);
  const folder = join(cache, `${name.replace("/", "+")}-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const temporary = mkdtempSync(join(cache, "download-"));
  try {
    const file = join(temporary, downloaded(`${name}@${version}`, temporary));
    const digest = createHash("sha512").update(readFileSync(file)).digest("base64");
    if (`sha512-${digest}` !== integrity)
      throw new UsageProblem(`${name} ${version} differs from what package-lock.json lists`);
    run("tar", ["-xzf", file, "-C", temporary]);
    renameSync(join(temporary, "package"), folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
};

const downloaded = (spec: string, folder: string): string => {
  console.error(`Downloading ${spec} …`);
  return run("npm", ["pack", spec, "--silent", "--pack-destination", folder]).trim();
};

const run = (command: string, args: readonly string[]): string => {
  const isShell = process.platform === "win32" && command === "npm"; // a .cmd file
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    shell: isShell,
    cwd: root,
  });
  if (status !== 0)
    throw new UsageProblem(`${command} ${args[0]} failed: ${error?.message ?? stderr}`);
  return stdout;
};
