import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { codexCache, findCodex } from "@agent-auth/tools/codex";

/** The app server of Codex 0.171, or why it is not measured. */
export type Codex =
  | {
      readonly start: () => ChildProcessByStdio<Writable, Readable, null>;
      readonly close: () => void;
    }
  | { readonly missing: string };

/**
 * Prepares the real Codex (tools/src/codex.ts). It runs in a namespace without a network, with a CODEX_HOME outside the
 * temporary folder, which it would refuse.
 */
export const prepareCodex = (): Codex => {
  const codex = findCodex();
  if ("missing" in codex) return codex;
  const isolated = ["--net", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];
  if (spawnSync("unshare", [...isolated, "true"]).status !== 0)
    return { missing: "unshare --net does not work here" };
  const home = join(codexCache, `bench-${process.pid}`);
  mkdirSync(home, { recursive: true });
  const auth = JSON.stringify({ auth_mode: "apikey", OPENAI_API_KEY: "sk-bench" });
  writeFileSync(join(home, "auth.json"), auth, { mode: 0o600 });
  return {
    start: () =>
      spawn("unshare", [...isolated, codex.path, "app-server"], {
        env: { PATH: process.env["PATH"] ?? "", HOME: home, CODEX_HOME: home },
        stdio: ["pipe", "pipe", "ignore"],
      }),
    close: () => rmSync(home, { recursive: true, force: true }),
  };
};
