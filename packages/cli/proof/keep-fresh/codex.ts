import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { codexCache, codexVersion, downloadedCodex, type RealCodex } from "@agent-auth/tools/codex";

/** Returns the path of the Codex binary, downloaded once (424 MB unpacked), or why there is none. */
export const installCodex = (): RealCodex => {
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch))
    return { missing: "it needs Linux on x64 or arm64" };
  const path = downloadedCodex;
  if (existsSync(path)) return { path };
  const name = `${codexVersion}-linux-${process.arch}`;
  const folder = join(codexCache, `codex-${name}`);
  console.log(`Downloading Codex ${codexVersion} to ${folder}`);
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
