import { Agent } from "node:http";
import type { RequestListener } from "node:http";
import type { makeBench } from "@agent-auth/tools/bench";
import { missingPostgres, startPostgres } from "@agent-auth/tools/postgres";
import { nodeListener } from "../src/middleware/index.ts";
import { createGateway, type GatewayOptions } from "../src/promises/index.ts";
import { addAgent, get, listen } from "./agents.ts";

type Bench = ReturnType<typeof makeBench>;

const concurrency = 32;
const perRound = 1500;
const rounds = 12;

/** CPU time of this process, client and server, for the requests of one round. */
const roundMs = async (port: number, agent: Agent, header: () => string): Promise<number> => {
  const start = process.cpuUsage();
  let sent = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (sent < perRound) {
        sent += 1;
        if ((await get(port, agent, header())) !== 200) throw new Error("not accepted");
      }
    }),
  );
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
};

const best = (times: ReadonlyArray<number>): number => {
  const fastest = times.toSorted((a, b) => a - b).slice(0, rounds / 4);
  return fastest.reduce((sum, time) => sum + time, 0) / fastest.length;
};

const respond: RequestListener = (_request, response) => response.end('{"ok":true}');

/** CPU of the bare server alone: what the client takes is measured with it and cannot be told apart, so both are compared. */
const compare = async (bench: Bench, name: string, options: GatewayOptions, atLeast: number) => {
  const gateway = await createGateway(options);
  const { header } = await addAgent(gateway, "agent-1");
  await gateway.authenticate({ authorization: header() });
  const bare = await listen(respond);
  const guarded = await listen(nodeListener(gateway, respond));
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const times: { readonly bare: Array<number>; readonly guarded: Array<number> } = {
    bare: [],
    guarded: [],
  };
  for (let round = 0; round < rounds; round += 1) {
    times.bare.push(await roundMs(bare.port, agent, header));
    times.guarded.push(await roundMs(guarded.port, agent, header));
  }
  const ratio = best(times.bare) / best(times.guarded);
  bench.record(
    name,
    `${ratio.toFixed(2)} × (${((best(times.guarded) / perRound) * 1000).toFixed(0)} µs against ${((best(times.bare) / perRound) * 1000).toFixed(0)} µs of CPU a request)`,
    `≥ ${atLeast} ×`,
    ratio >= atLeast,
  );
  agent.destroy();
  bare.close();
  guarded.close();
  await gateway.close();
};

/** Requests that a server handles with the middleware, against the same server without it. */
export const compareMiddleware = async (bench: Bench): Promise<void> => {
  await compare(bench, "a server with middleware, agents in memory, against without", {}, 0.85);
  if (missingPostgres !== undefined) {
    console.warn(`skipped: ${missingPostgres}`);
    return;
  }
  await using postgres = await startPostgres();
  const store = { kind: "postgres", url: postgres.createDatabase() } as const;
  await compare(bench, "the same with agents in PostgreSQL, cached", { store }, 0.7);
};
