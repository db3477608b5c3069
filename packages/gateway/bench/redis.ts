import { loadavg } from "node:os";
import type { makeBench } from "@agent-auth/tools/bench";
import { missingRedis, startRedis } from "@agent-auth/tools/redis";
import { createClient } from "redis";
import { createGateway, type Gateway } from "../src/promises/index.ts";
import { addAgent, percentile } from "./agents.ts";

const perSecond = 2000;
/** Requests in one slice: a quarter of a second. */
const perSlice = perSecond / 4;
const slices = 24;

type Work = () => unknown;

/** Sends requests at the pace of the clock. Returns how long each took, in milliseconds. */
const runSlice = async (work: Work): Promise<ReadonlyArray<number>> => {
  const times: Array<number> = [];
  const one = async () => {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  };
  const startMs = performance.now();
  const pending: Array<Promise<void>> = [];
  while (pending.length < perSlice) {
    const due = Math.floor(((performance.now() - startMs) / 1000) * perSecond);
    while (pending.length < Math.min(due, perSlice)) pending.push(one());
    await new Promise<void>((resolve) => void setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  return times;
};

const median = (values: ReadonlyArray<number>): number => percentile(values, 0.5);
const none = (): Array<number> => [];

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** CPU time of a call, in microseconds, while ten run at a time. */
const cpuPerCall = async (work: Work): Promise<number> => {
  const rounds: Array<number> = [];
  for (let round = 0; round < 30; round += 1) {
    const before = cpuMs();
    for (let batch = 0; batch < 50; batch += 1)
      await Promise.all(Array.from({ length: 10 }, () => work()));
    rounds.push((cpuMs() - before) * 2);
  }
  return percentile(rounds, 0.25);
};

/**
 * How much later a decision comes because its use is counted in Redis, at 2,000 requests a second of 20 agents. Slices with
 * and without it alternate, and slices of bare PINGs show what the machine adds: the load generator, Redis and the gateway
 * share its processors with whatever else runs.
 */
export const measureRedis = async (bench: ReturnType<typeof makeBench>): Promise<void> => {
  if (missingRedis !== undefined) {
    console.warn(`skipped: ${missingRedis}`);
    return;
  }
  await using server = await startRedis();
  const client = await createClient({ url: server.url }).connect();
  let failures = 0;
  const startGateway = async (options: Parameters<typeof createGateway>[0]) => {
    const gateway = await createGateway({ cache: { ttlMs: 3_600_000 }, ...options });
    const agents = await Promise.all(
      Array.from({ length: 20 }, (_, index) => addAgent(gateway, `agent-${index}`)),
    );
    let next = 0;
    const decide = async () => {
      const decision = await gateway.decide({ authorization: agents[next++ % 20]?.header() });
      if (decision instanceof Error) failures += 1;
    };
    // Signing is the load generator's work, and both gateways verify a new header once a second.
    const prepare = async () => {
      for (const agent of agents) await gateway.decide({ authorization: agent.header() });
    };
    return { gateway, decide, prepare };
  };
  const counted = await startGateway({ replays: { maxUses: 1_000_000, in: client } });
  const plain = await startGateway({});
  const ping = () => client.sendCommand(["PING"]);
  const gateways: ReadonlyArray<Gateway> = [counted.gateway, plain.gateway];
  const cpu = {
    counted: (await cpuPerCall(counted.decide)) - (await cpuPerCall(plain.decide)),
    ping: await cpuPerCall(ping),
  };
  const [medians, p99s] = [none(), { counted: none(), plain: none(), ping: none() }];
  for (let slice = 0; slice < slices; slice += 1) {
    await counted.prepare();
    const times = await runSlice(counted.decide);
    medians.push(median(times));
    p99s.counted.push(percentile(times, 0.99));
    await plain.prepare();
    p99s.plain.push(percentile(await runSlice(plain.decide), 0.99));
    p99s.ping.push(percentile(await runSlice(ping), 0.99));
  }
  const added = median(p99s.counted) - median(p99s.plain);
  const pinged = median(p99s.ping);
  bench.record(
    "added by replay protection in Redis at 2,000 requests a second, p99",
    `${added.toFixed(2)} ms (PING ${pinged.toFixed(2)} ms; median ${median(medians).toFixed(2)} ms; ${failures} failed; load ${loadavg()[0]?.toFixed(0)})`,
    "≤ 2.00 ms or 2 × PING, none failed",
    (added <= 2 || added <= 2 * pinged) && failures === 0,
  );
  bench.record(
    "CPU of counting a use in Redis, against a PING",
    `${(cpu.counted / cpu.ping).toFixed(1)} × (${cpu.counted.toFixed(0)} µs against ${cpu.ping.toFixed(0)} µs)`,
    "≤ 6 ×",
    cpu.counted <= 6 * cpu.ping,
  );
  for (const gateway of gateways) await gateway.close();
  client.destroy();
};
