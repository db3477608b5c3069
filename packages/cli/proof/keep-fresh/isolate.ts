import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

/** Whether this process runs in a network namespace of its own, with nothing but loopback. */
export const isIsolated = (): boolean =>
  process.env[MARK] !== undefined && Object.keys(networkInterfaces()).join() === "lo";

const MARK = "AGENT_AUTH_PROOF_ISOLATED";

const HOSTS = "127.0.0.1 localhost chatgpt.com auth.openai.com api.openai.com ab.chatgpt.com\n";

const SCRIPT = 'ip link set lo up && mount --bind "$1" /etc/hosts && shift && exec "$@"';

/**
 * Runs this program again in namespaces of its own: the only network is loopback, and the names of Codex's servers lead
 * to it. Returns its exit code, or why that is not possible here.
 */
export const runIsolated = (folder: string): number | string => {
  const hosts = join(folder, `hosts.${process.pid}`);
  const namespaces = ["--net", "--mount", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];
  const inside = (...command: ReadonlyArray<string>) => [
    ...namespaces,
    "sh",
    "-c",
    SCRIPT,
    "sh",
    hosts,
    ...command,
  ];
  try {
    writeFileSync(hosts, HOSTS);
    const trial = spawnSync("unshare", inside("true"), { encoding: "utf8" });
    if (trial.status !== 0) return trial.error?.message ?? trial.stderr.trim();
    const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const env = { ...process.env, [MARK]: "1" };
    return spawnSync("unshare", inside(...program), { env, stdio: "inherit" }).status ?? 1;
  } finally {
    rmSync(hosts, { force: true });
  }
};
