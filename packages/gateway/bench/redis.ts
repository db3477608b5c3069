import type { makeBench } from "@agent-auth/tools/bench";
import { missingRedis, startRedis } from "@agent-auth/tools/redis";
import { createClient } from "redis";
import { createGateway } from "../src/promises/index.ts";
import { addAgent, percentile } from "./agents.ts";

const perSecond = 2000;
const seconds = 5;

/** How much later a decision comes because its use is counted in Redis, at 2,000 requests a second of 20 agents. */
export const measureRedis = async (bench: ReturnType<typeof makeBench>): Promise<void> => {
  if (missingRedis !== undefined) {
    console.warn(`skipped: ${missingRedis}`);
    return;
  }
  await using server = await startRedis();
  const client = await createClient({ url: server.url }).connect();
  const gateway = await createGateway({
    replays: { maxUses: 1_000_000, in: client },
    cache: { ttlMs: 3_600_000 },
  });
  const agents = await Promise.all(
    Array.from({ length: 20 }, (_, index) => addAgent(gateway, `agent-${index}`)),
  );
  const times: Array<number> = [];
  let failures = 0;
  const one = async (index: number) => {
    const authorization = agents[index % agents.length]?.header();
    const start = performance.now();
    const decision = await gateway.decide({ authorization });
    times.push(performance.now() - start);
    if (decision instanceof Error) failures += 1;
  };
  for (const agent of agents) await gateway.decide({ authorization: agent.header() });
  const startMs = performance.now();
  const pending: Array<Promise<void>> = [];
  // Paced by the clock: each turn sends what is due.
  for (let sent = 0; sent < perSecond * seconds;) {
    const due = Math.floor(((performance.now() - startMs) / 1000) * perSecond);
    for (; sent < Math.min(due, perSecond * seconds); sent += 1) pending.push(one(sent));
    await new Promise<void>((resolve) => void setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  const p99 = percentile(times, 0.99);
  bench.record(
    "replay protection in Redis at 2,000 requests a second, p99",
    `${p99.toFixed(2)} ms (median ${percentile(times, 0.5).toFixed(2)} ms; ${failures} failed)`,
    "≤ 2.00 ms, none failed",
    p99 <= 2 && failures === 0,
  );
  await gateway.close();
  client.destroy();
};
