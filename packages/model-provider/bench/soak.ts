// Memory over an hour, compressed: 10,000 tenants, each with its own agent identity and manager, send
// 1,000,000 requests in all; 20 of them at a time, beside 50 tenants that stay. After a warm-up the heap must not grow.
// `npm run soak -w @agent-auth/model-provider`; SOAK_TENANTS and SOAK_REQUESTS make it smaller.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBench } from "@agent-auth/tools/bench";
import { createModelProvider } from "../src/promises/index.ts";
import { startServer } from "./setup.ts";
import { startCompressedClock } from "./soak-clock.ts";

const realElapsedMs = startCompressedClock();

const tenants = Number(process.env["SOAK_TENANTS"] ?? 10_000);
const requests = Number(process.env["SOAK_REQUESTS"] ?? 1_000_000);
const atOnce = 20;
const staying = 50;
const samples = 20;
const warmUpSamples = 4;
const mib = 1024 ** 2;
const limitMib = 8;

const { gc } = globalThis;
if (gc === undefined) throw new Error("run this with node --expose-gc");

const authority = fork(new URL("./soak-authority.ts", import.meta.url), {
  execArgv: ["--conditions=@agent-auth/source"],
});
const [started]: Array<{ chatgptBaseUrl: string }> = await once(authority, "message");
if (started === undefined) throw new Error("the authority did not start");
const minting = new Map<number, (jwt: string) => void>();
authority.on("message", ({ id, jwt }: { id: number; jwt: string }) => {
  minting.get(id)?.(jwt);
  minting.delete(id);
});
const mint = (id: number): Promise<string> =>
  new Promise((resolve) => {
    minting.set(id, resolve);
    authority.send({ mint: id });
  });

const server = await startServer();
const codexHome = await mkdtemp(join(tmpdir(), "soak-"));
const overrides = [
  `chatgpt_base_url=${JSON.stringify(started.chatgptBaseUrl)}`,
  `openai_base_url=${JSON.stringify(`${server.origin}/v1`)}`,
];

const open = async (id: number) =>
  createModelProvider({
    codexHome,
    variables: { CODEX_AGENT_IDENTITY: await mint(id) },
    configOverrides: overrides,
    environmentCredentials: true,
  });
type Provider = Awaited<ReturnType<typeof open>>;

let sent = 0;
const request = async ({ fetch }: Provider): Promise<void> => {
  const response = await fetch("/responses", { method: "POST", body: '{"model":"gpt-5"}' });
  await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`status ${response.status}`);
  sent += 1;
};

/** Bytes of heap in use after a collection, sampled at equal shares of the tenants. */
const heap: Array<number> = [];
const rss: Array<number> = [];
let done = 0;
const sample = (): void => {
  if (done < (heap.length + 1) * (tenants / samples)) return;
  gc();
  const usage = process.memoryUsage();
  heap.push(usage.heapUsed);
  rss.push(usage.rss);
  const line = `${done} tenants, ${sent} requests, ${Math.round(realElapsedMs() / 1000)} s: heap ${(usage.heapUsed / mib).toFixed(1)} MiB, rss ${(usage.rss / mib).toFixed(0)} MiB`;
  if (process.stdout.isTTY || process.env["SOAK_VERBOSE"] !== undefined) console.log(line);
};

const perTenant = Math.max(1, Math.floor(requests / tenants));
const stayed = await Promise.all(Array.from({ length: staying }, (_, at) => open(-1 - at)));
let next = 0;
const worker = async (): Promise<void> => {
  while (next < tenants) {
    const id = next++;
    const provider = await open(id);
    for (let left = perTenant - 1; left > 0; left--) await request(provider);
    await provider.close();
    const neighbour = stayed[id % staying];
    if (neighbour !== undefined) await request(neighbour);
    done += 1;
    sample();
  }
};
await Promise.all(Array.from({ length: atOnce }, worker));
await Promise.all(stayed.map((provider) => provider.close()));
await rm(codexHome, { recursive: true });
server.stop();
authority.disconnect();

const mean = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const grown = (values: ReadonlyArray<number>): number => {
  const settled = values.slice(warmUpSamples);
  const quarter = Math.max(1, settled.length >> 2);
  return (mean(settled.slice(-quarter)) - mean(settled.slice(0, quarter))) / mib;
};
const bench = makeBench(
  `soak: ${tenants} tenants, ${sent} requests in ${Math.round(realElapsedMs() / 1000)} s`,
);
bench.record(
  "heap after collection",
  `${grown(heap).toFixed(1)} MiB more`,
  `≤ ${limitMib} MiB`,
  grown(heap) <= limitMib,
);
bench.record("resident set", `${grown(rss).toFixed(0)} MiB more`, "≤ 64 MiB", grown(rss) <= 64);
bench.report();
