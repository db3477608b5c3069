// `npm run proof:keep -w @agent-auth/cli [-- --rounds 20 --without 5 --processes 10]`: docs/keep-fresh.md says what it shows.
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { codexCache } from "@agent-auth/tools/codex";
import { installCodex } from "./codex.ts";
import { isIsolated, runIsolated } from "./isolate.ts";
import { Machine } from "./machine.ts";
import {
  CODEX_AHEAD_SECONDS,
  isKeptFresh,
  runRound,
  startCodex,
  type RoundResult,
} from "./round.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    without: { type: "string", default: "5" },
    processes: { type: "string", default: "10" },
  },
});
const processes = Number(values.processes);

/** Seconds that the keeper has before the token is due by Codex's rule. Outside this program it has 300. */
const HEAD_START_SECONDS = 5;
/** Longer than the ten minutes by which the keeper is early, so that it waits for its own time, too. */
const REAL_TIME_SECONDS = 615;

const print = (name: string, round: RoundResult): RoundResult => {
  const { answers, codex, isAlive, keeper, reuses, seconds } = round;
  console.log(
    `${name}: refreshes by keeper ${keeper}, by Codex ${codex}, token reuses ${reuses}; ` +
      `${answers} of ${processes} Codex processes answered; ` +
      `sign-in ${isAlive ? "alive" : "DEAD"}; ${seconds} s`,
  );
  return round;
};

const runRounds = async (
  name: string,
  count: number,
  round: () => Promise<RoundResult>,
): Promise<ReadonlyArray<RoundResult>> => {
  const results: Array<RoundResult> = [];
  while (results.length < count)
    results.push(print(`${name}, round ${results.length + 1}`, await round()));
  return results;
};

/** Codex refreshes in a home in which our lock files are, and our program reads what Codex wrote. */
const shareHome = async (machine: Machine): Promise<boolean> => {
  const before = await machine.signIn(CODEX_AHEAD_SECONDS - 100);
  const { codex, isAlive } = await startCodex(machine, 1, machine.authority.count("refresh"));
  const isStored = machine.storedTokens.access_token !== before.accessToken;
  const status = await machine.agentAuth("login", "status");
  const locks = ["auth.lock", "auth.json.lock", "agent-auth.lock", "agent-auth.refresh.lock"]
    .map((name) => [name, join(machine.home, name)] as const)
    .filter(([, path]) => existsSync(path))
    .map(([name, path]) => `${name} ${(statSync(path).mode & 0o777).toString(8)}`);
  console.log(
    `Codex alone in the same home: ${codex} refresh, ${isStored ? "stored" : "NOT STORED"}, sign-in ` +
      `${isAlive ? "alive" : "DEAD"}, agent-auth login status exits with ${status.exitCode}; ${locks.join(", ")}`,
  );
  return codex === 1 && isStored && isAlive && status.exitCode === 0;
};

const sum = (rounds: ReadonlyArray<RoundResult>, key: "keeper" | "codex" | "reuses" | "answers") =>
  rounds.reduce((total, round) => total + round[key], 0);

const row = (rounds: ReadonlyArray<RoundResult>) => ({
  rounds: rounds.length,
  "refreshes by keeper": sum(rounds, "keeper"),
  "refreshes by Codex": sum(rounds, "codex"),
  "token reuses": sum(rounds, "reuses"),
  "Codex answered": `${sum(rounds, "answers")} of ${rounds.length * processes}`,
  "sign-in alive": `${rounds.filter(({ isAlive }) => isAlive).length} of ${rounds.length}`,
});

const prove = async (codex: string): Promise<boolean> => {
  await using realTime = await Machine.start(codex, 3600);
  const stopRealTime = realTime.startKeeper();
  await realTime.signIn(REAL_TIME_SECONDS);
  const dueAtMs = performance.now() + (REAL_TIME_SECONDS - CODEX_AHEAD_SECONDS) * 1000;

  await using alone = await Machine.start(codex, 3600);
  const without = await runRounds("without keeper", Number(values.without), () =>
    runRound(alone, { processes, dueInSeconds: 0 }),
  );

  await using kept = await Machine.start(codex, 3600);
  const stop = kept.startKeeper();
  const withKeeper = await runRounds("with keeper", Number(values.rounds), () =>
    runRound(kept, { processes, dueInSeconds: HEAD_START_SECONDS }),
  );
  const { exitCode, output } = await stop();
  if (exitCode !== 0) console.log(output);
  const isShared = await shareHome(kept);

  await sleep(Math.max(0, dueAtMs - performance.now()));
  const inRealTime = print("with keeper, real time", await startCodex(realTime, processes, 0));
  await stopRealTime();

  console.table({
    "without keeper": row(without),
    "with keeper": row(withKeeper),
    "with keeper, real time": row([inRealTime]),
  });
  return isShared && [...withKeeper, inRealTime].every((round) => isKeptFresh(round, processes));
};

mkdirSync(codexCache, { recursive: true });
const codex = installCodex();
if ("missing" in codex) {
  console.log(`skipped: Codex is not available: ${codex.missing}`);
} else if (isIsolated()) {
  const startedMs = performance.now();
  const isProved = await prove(codex.path);
  const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1);
  console.log(`${isProved ? "ok" : "FAILED"}, ${minutes} minutes`);
  process.exitCode = isProved ? 0 : 1;
} else {
  const exitCode = runIsolated(codexCache);
  if (typeof exitCode === "string") {
    console.log(`skipped: no network namespace, which keeps Codex on loopback: ${exitCode}`);
  } else process.exitCode = exitCode;
}
