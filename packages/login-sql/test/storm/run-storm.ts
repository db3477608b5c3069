import { startPostgres } from "@agent-auth/tools/postgres";
import { generateStoreKey } from "../../src/index.ts";
import { startFleet } from "./fleet.ts";
import { type RoundResult, runRound } from "./round.ts";
import { addReplica, scenarios, serverSettings } from "./scenarios.ts";

export interface StormOptions {
  /** Of each scenario. */
  readonly rounds: number;
  readonly hosts: number;
  /** On each host. */
  readonly processes: number;
  readonly cutMs: number;
  readonly log: (line: string) => void;
  /** No round begins after so many minutes. Default: no limit. */
  readonly minutes?: number;
  /** Names of scenarios. Default: all. */
  readonly only?: ReadonlyArray<string>;
}

export interface StormResult {
  readonly isGood: boolean;
  readonly results: ReadonlyArray<RoundResult>;
}

const urlOf = (port: number) => `postgres://postgres@127.0.0.1:${port}/postgres?connect_timeout=30`;

/** Runs every scenario, one line for each round and a table at the end. */
export const runStorm = async (options: StormOptions): Promise<StormResult> => {
  const { cutMs, log, minutes = Infinity, only, rounds } = options;
  const endMs = performance.now() + minutes * 60_000;
  await using servers = new AsyncDisposableStack();
  let postgres = servers.use(await startPostgres({ settings: serverSettings }));
  const fleet = servers.use(await startFleet({ ...options, port: postgres.port, urlOf }));
  log(`${options.hosts} hosts with ${options.processes} programs each are ready`);
  const keys = generateStoreKey("storm");
  const results: Array<RoundResult> = [];
  const chosen = scenarios.filter(({ name }) => only === undefined || only.includes(name));
  for (let round = 1; round <= rounds; round++)
    for (const scenario of chosen) {
      if (performance.now() > endMs) break;
      if (scenario.name === "replica promoted") servers.use(await addReplica(postgres));
      const number = results.length + 1;
      // Short where the lease has to end: a stopped holder loses it, a killed one blocks the others for as long.
      const leaseMs = scenario.losesLease ? Math.min(cutMs / 2, 5_000) : 15_000;
      const options = { number, scenario, fleet, postgres, keys, cutMs, leaseMs };
      const result = await runRound(options);
      results.push(result);
      log(lineOf(round, result));
      if (result.postgres !== postgres) await postgres[Symbol.asyncDispose]();
      ({ postgres } = result);
    }
  const isGood = results.every(({ violations }) => violations.length === 0);
  for (const line of tableOf(results)) log(line);
  log(isGood ? "all as it should be" : "VIOLATED");
  return { isGood, results };
};

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

const lineOf = (round: number, result: RoundResult): string => {
  const { interrupted, isPairLost, killed, refreshes, scenario, successes, tookMs, violations } =
    result;
  const codes = Map.groupBy(result.retried, (code) => code);
  const retried = [...codes].map(([code, all]) => `${all.length} × ${code}`).join(", ");
  return [
    `${scenario}, round ${round}: ${violations.length === 0 ? "ok" : "VIOLATED"}`,
    `${refreshes} refresh(es), ${successes} succeeded in ${seconds(tookMs)}`,
    ...(killed > 0 ? [`${killed} killed`] : []),
    ...(interrupted > 0 ? [`${interrupted} told to sign in`] : []),
    ...(isPairLost ? ["1 pair lost with its holder"] : []),
    ...(retried === "" ? [] : [`retried ${retried}`]),
    ...violations,
  ].join("; ");
};

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((a, b) => a + b, 0);

const tableOf = (results: ReadonlyArray<RoundResult>): ReadonlyArray<string> => {
  const head = [
    "scenario",
    "rounds",
    "refreshes",
    "most per round",
    "succeeded",
    "killed",
    "told to sign in",
    "pairs lost",
    "median",
    "slowest",
    "violations",
  ];
  const rows = [...Map.groupBy(results, ({ scenario }) => scenario)].map(([name, all]) => {
    const times = all.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
    const refreshes = all.map((one) => one.refreshes);
    return [
      name,
      all.length,
      sum(refreshes),
      Math.max(...refreshes),
      sum(all.map(({ successes }) => successes)),
      sum(all.map(({ killed }) => killed)),
      sum(all.map(({ interrupted }) => interrupted)),
      all.filter(({ isPairLost }) => isPairLost).length,
      seconds(times[Math.floor(times.length / 2)] ?? 0),
      seconds(times.at(-1) ?? 0),
      sum(all.map(({ violations }) => violations.length)),
    ].map(String);
  });
  return ["", ...[head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`)];
};
