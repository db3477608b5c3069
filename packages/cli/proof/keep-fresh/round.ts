import { setTimeout as sleep } from "node:timers/promises";
import type { Machine } from "./machine.ts";

/** Codex refreshes an access token that expires within this time. Seconds. */
export const CODEX_AHEAD_SECONDS = 300;

export interface RoundResult {
  readonly keeper: number;
  readonly codex: number;
  readonly reuses: number;
  readonly answers: number;
  readonly isAlive: boolean;
  readonly seconds: number;
}

export interface RoundOptions {
  readonly processes: number;
  /** How long after the sign-in its access token is due by Codex's rule. */
  readonly dueInSeconds: number;
}

/** Signs in, waits until the access token is due by Codex's rule, and starts Codex processes, all at once. */
export const runRound = async (machine: Machine, options: RoundOptions): Promise<RoundResult> => {
  const first = machine.authority.count("refresh");
  await machine.signIn(CODEX_AHEAD_SECONDS + options.dueInSeconds);
  await sleep(options.dueInSeconds * 1000);
  return startCodex(machine, options.processes, first);
};

/** Starts Codex processes, all at once, and counts refreshes from the request number `first` on. */
export const startCodex = async (
  machine: Machine,
  processes: number,
  first: number,
): Promise<RoundResult> => {
  const startedMs = performance.now();
  const ended = await Promise.all(Array.from({ length: processes }, () => machine.askCodex()));
  const answers = ended.filter(({ exitCode }) => exitCode === 0).length;
  return {
    ...machine.refreshesSince(first),
    answers,
    isAlive: await machine.isAlive(),
    seconds: Math.round((performance.now() - startedMs) / 1000),
  };
};

/** Whether the keeper alone has refreshed, once, and every Codex process did its work. */
export const isKeptFresh = (round: RoundResult, processes: number): boolean =>
  round.isAlive &&
  round.keeper === 1 &&
  round.codex === 0 &&
  round.reuses === 0 &&
  round.answers === processes;
