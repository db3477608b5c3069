import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const VERSION = "0.171.0";

/** Holds the unpacked Codex and the homes of a run. Outside the temporary folder, which Codex refuses as CODEX_HOME. */
export const cacheFolder = join(
  process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"),
  "agent-auth",
);

const triples: Readonly<Record<string, string>> = {
  x64: "x86_64-unknown-linux-musl",
  arm64: "aarch64-unknown-linux-musl",
};

/** Returns the path of the Codex binary, downloaded once (424 MB unpacked), or why there is none. */
export const installCodex = (): { readonly path: string } | { readonly missing: string } => {
  const triple = triples[process.arch];
  if (process.platform !== "linux" || triple === undefined)
    return { missing: "it needs Linux on x64 or arm64" };
  const name = `${VERSION}-linux-${process.arch}`;
  const folder = join(cacheFolder, `codex-${name}`);
  const path = join(folder, "package/vendor", triple, "bin/codex");
  if (existsSync(path)) return { path };
  console.log(`Downloading Codex ${VERSION} to ${folder}`);
  const partial = `${folder}.${process.pid}`;
  try {
    mkdirSync(partial, { recursive: true });
    const packed = run("npm", ["pack", "--silent", `@openai/codex@${name}`], partial);
    if (packed.status !== 0) return { missing: `npm pack failed: ${packed.stderr.trim()}` };
    const archive = join(partial, packed.stdout.trim());
    const unpacked = run("tar", ["-xzf", archive], partial);
    if (unpacked.status !== 0) return { missing: `tar failed: ${unpacked.stderr.trim()}` };
    rmSync(archive);
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return existsSync(path) ? { path } : { missing: `the package does not contain ${path}` };
};

const run = (command: string, args: ReadonlyArray<string>, cwd: string) => {
  const { error, status, stderr, stdout } = spawnSync(command, args, { cwd, encoding: "utf8" });
  return { status, stdout: stdout ?? "", stderr: error?.message ?? stderr };
};
