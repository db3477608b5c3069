// Compares the proxy with a minimal reverse proxy over undici: requests per second, added latency at a steady 500
// requests a second, memory over 100,000 requests. Each program runs in its own process.
import { makeBench } from "@agent-auth/tools/bench";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Pool } from "undici";

const here = import.meta.dirname;
const binary = join(here, "../dist/agent-auth.cjs");
const home = await mkdtemp(join(tmpdir(), "agent-auth-bench-"));
const children: ChildProcess[] = [];

/** Starts a program that prints its port or base URL first. */
const serve = async (args: readonly string[]) => {
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    CODEX_HOME: home,
    CODEX_API_KEY: "sk-bench",
  };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "ignore"] });
  children.push(child);
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once("line", resolve);
    child.once("close", (code) => reject(new Error(`${args.join(" ")} ended with ${code}`)));
  });
  const origin = line.startsWith("http") ? line : `http://127.0.0.1:${line}`;
  return { origin, pid: child.pid ?? 0 };
};

const body = JSON.stringify({ model: "gpt-5", input: "Say hello.", stream: false });
const request = {
  path: "/responses",
  method: "POST",
  headers: { "content-type": "application/json", authorization: "Bearer unused" },
  body,
} as const;

const ask = async (pool: Pool) => {
  const answer = await pool.request(request);
  if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
  await answer.body.dump();
};

const CONNECTIONS = 32;

/** Requests per second, with so many under way all the time. */
const throughput = async (pool: Pool, requests: number): Promise<number> => {
  let left = requests;
  const worker = async () => {
    while (left-- > 0) await ask(pool);
  };
  const startedAtMs = performance.now();
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  return requests / ((performance.now() - startedAtMs) / 1000);
};

/**
 * The 99th percentile of the latency in milliseconds. The rate is constant: a request does not wait for earlier
 * responses.
 */
const p99 = async (pool: Pool, perSecond: number, seconds: number): Promise<number> => {
  const times: number[] = [];
  const startedAtMs = performance.now();
  const asked: Promise<void>[] = [];
  for (let at = 0; at < perSecond * seconds; at += 1) {
    const dueMs = startedAtMs + (at * 1000) / perSecond;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const sentAtMs = performance.now();
    asked.push(ask(pool).then(() => void times.push(performance.now() - sentAtMs)));
  }
  await Promise.all(asked);
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;
};

const residentMiB = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/u.exec(status)?.[1] ?? 0) / 1024;
};

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

try {
  const upstream = await serve([join(here, "support/upstream.ts")]);
  await writeFile(join(home, "config.toml"), `openai_base_url = "${upstream.origin}"\n`);
  const bare = await serve([join(here, "support/bare-proxy.ts"), upstream.origin]);
  const proxy = await serve([binary, "proxy"]);
  const pools = [upstream, bare, proxy].map(
    ({ origin }) => new Pool(origin, { connections: CONNECTIONS }),
  );
  const [direct, through, ours] = pools;
  if (direct === undefined || through === undefined || ours === undefined) throw new Error("pools");
  const bench = makeBench("agent-auth proxy");

  for (const pool of pools) await throughput(pool, 3000);
  const rates = { through: [] as number[], ours: [] as number[] };
  for (let round = 0; round < 7; round += 1) {
    rates.through.push(await throughput(through, 4000));
    rates.ours.push(await throughput(ours, 4000));
  }
  const ratio = median(rates.ours) / median(rates.through);
  bench.record(
    "requests per second",
    `${ratio.toFixed(2)} × (${median(rates.ours).toFixed(0)} against ${median(rates.through).toFixed(0)})`,
    "≥ 0.6 × a bare undici reverse proxy",
    ratio >= 0.6,
  );

  const added: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    added.push((await p99(ours, 500, 3)) - (await p99(direct, 500, 3)));
  }
  bench.record(
    "added latency, p99 at 500 requests/s",
    `${median(added).toFixed(2)} ms`,
    "≤ 2 ms",
    median(added) <= 2,
  );

  if (process.platform === "linux") {
    // The resident set falls and rises by tens of MiB with V8's collections, so the lowest of three counts.
    const lowest = async () => {
      const seen: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        await throughput(ours, 33_333);
        seen.push(await residentMiB(proxy.pid));
      }
      return Math.min(...seen);
    };
    const before = await lowest();
    const grown = (await lowest()) - before;
    bench.record(
      "memory over 100,000 requests",
      `${grown.toFixed(1)} MiB more`,
      "≤ 32 MiB",
      grown <= 32,
    );
  }
  bench.report();
  await Promise.all(pools.map((pool) => pool.destroy()));
} finally {
  for (const child of children) child.kill();
  await rm(home, { recursive: true, force: true });
}
