import type { makeBench } from "@agent-auth/tools/bench";
import { createGateway } from "../src/promises/index.ts";
import { addAgent, forgedHeader, percentile } from "./agents.ts";

type Bench = ReturnType<typeof makeBench>;

const forgedPerSecond = 100_000;
const seconds = 3;

/** CPU for 100,000 forged headers a second of one source, and how long decisions about a good agent take meanwhile. */
export const measureFlood = async (bench: Bench): Promise<void> => {
  const gateway = await createGateway();
  const good = await addAgent(gateway, "agent-1");
  const forged = Array.from({ length: 1000 }, (_, index) => forgedHeader(`forged-${index}`));
  const decideGood = async (): Promise<number> => {
    const start = performance.now();
    const decision = await gateway.decide({ authorization: good.header(), source: "192.0.2.1" });
    if (decision instanceof Error) throw decision;
    return performance.now() - start;
  };
  const run = async (perSecond: number) => {
    const times: Array<number> = [];
    const cpu = process.cpuUsage();
    const start = performance.now();
    let sent = 0;
    while (performance.now() - start < seconds * 1000) {
      const due = Math.floor(((performance.now() - start) / 1000) * perSecond);
      // At most 200 at a time, as they would arrive: other requests have their turn between.
      for (let batch = 0; sent < due && batch < 200; batch += 1, sent += 1)
        void gateway.decide({ authorization: forged[sent % 1000], source: "198.51.100.1" });
      times.push(await decideGood());
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    const { user, system } = process.cpuUsage(cpu);
    return { times, sent, cpuMs: (user + system) / 1000 };
  };
  await run(0);
  const quiet = await run(0);
  const flooded = await run(forgedPerSecond);
  const [before, during] = [percentile(quiet.times, 0.99), percentile(flooded.times, 0.99)];
  bench.record(
    "a good agent's decision during 100,000 forged headers a second, p99",
    `${(during * 1000).toFixed(0)} µs (${(before * 1000).toFixed(0)} µs without; ${Math.round(flooded.sent / seconds)} forged a second)`,
    "≤ 1 ms more",
    during - before <= 1,
  );
  const each = await costOfBlocked();
  bench.record(
    "CPU for each forged header of a source over its limit",
    `${(each * 1000).toFixed(2)} µs, ${(each * 10_000).toFixed(0)} % of a core at 100,000 a second`,
    "≤ 2.00 µs",
    each <= 0.002,
  );
  await gateway.close();
};

const costOfBlocked = async (): Promise<number> => {
  const gateway = await createGateway();
  const authorization = forgedHeader("forged");
  const calls = 200_000;
  for (let index = 0; index < 2000; index += 1)
    await gateway.decide({ authorization, source: "198.51.100.1" });
  const cpu = process.cpuUsage();
  for (let index = 0; index < calls; index += 1)
    void gateway.decide({ authorization, source: "198.51.100.1" });
  const { user, system } = process.cpuUsage(cpu);
  await gateway.close();
  return (user + system) / 1000 / calls;
};

/** Megabytes of the heap that are in use. */
const used = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1e6;
};

/** Memory after 300,000 different runtime ids of 50,000 sources, and whether the good agent is still cached. */
export const measureIds = async (bench: Bench): Promise<void> => {
  const gateway = await createGateway({ cache: { ttlMs: 3_600_000 } });
  const good = await addAgent(gateway, "agent-1");
  await gateway.authenticate({ authorization: good.header() });
  const send = async (from: number, to: number) => {
    for (let index = from; index < to; index += 1)
      await gateway.decide({
        authorization: forgedHeader(`forged-${index}-${"x".repeat(100)}`),
        source: `198.51.${index % 50_000}`,
      });
  };
  await send(0, 60_000);
  const before = used();
  await send(60_000, 300_000);
  const grown = used() - before;
  const decision = gateway.decide({ authorization: good.header(Date.now() - 3000) });
  const isCached = !(decision instanceof Promise) && !(decision instanceof Error);
  bench.record(
    "memory for 240,000 further unknown runtime ids of 50,000 sources",
    `${grown.toFixed(1)} MB; the good agent is ${isCached ? "still cached" : "gone"}`,
    "≤ 20 MB, still cached",
    grown <= 20 && isCached,
  );
  await gateway.close();
};
