import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** The app server of Codex 0.171, or why it is not measured. */
export type Codex =
  | {
      readonly start: () => ChildProcessByStdio<Writable, Readable, null>;
      readonly close: () => void;
    }
  | { readonly missing: string };

const triples: Readonly<Record<string, string>> = {
  x64: "x86_64-unknown-linux-musl",
  arm64: "aarch64-unknown-linux-musl",
};

/**
 * Finds Codex 0.171 at `CODEX_BINARY`, or where `npm run proof:keep` of the CLI unpacks it. It runs in a namespace without
 * a network, with a CODEX_HOME outside the temporary folder, which it would refuse.
 */
export const findCodex = (): Codex => {
  const cache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "agent-auth");
  const folder = `codex-0.171.0-linux-${process.arch}/package/vendor`;
  const unpacked = join(cache, folder, triples[process.arch] ?? "", "bin/codex");
  const path = process.env["CODEX_BINARY"] ?? unpacked;
  if (!existsSync(path)) return { missing: `${path} does not exist; CODEX_BINARY names another` };
  const isolated = ["--net", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];
  if (spawnSync("unshare", [...isolated, "true"]).status !== 0)
    return { missing: "unshare --net does not work here" };
  const home = join(cache, `bench-${process.pid}`);
  mkdirSync(home, { recursive: true });
  const auth = JSON.stringify({ auth_mode: "apikey", OPENAI_API_KEY: "sk-bench" });
  writeFileSync(join(home, "auth.json"), auth, { mode: 0o600 });
  return {
    start: () =>
      spawn("unshare", [...isolated, path, "app-server"], {
        env: { PATH: process.env["PATH"] ?? "", HOME: home, CODEX_HOME: home },
        stdio: ["pipe", "pipe", "ignore"],
      }),
    close: () => rmSync(home, { recursive: true, force: true }),
  };
};
