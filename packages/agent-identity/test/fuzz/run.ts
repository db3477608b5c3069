import { inspect } from "node:util";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Cause from "effect/Cause";
import { makeRandom } from "./random.ts";
import { canary, makeTargets, type Target } from "./targets.ts";

/** The time limit for one input. */
const maxInputMs = 50;
/**
 * An input slower than this is run again, and its fastest attempt counts: a verification waits for a thread of Node's pool
 * and for the processor, which does not depend on the input. Far below the limit, so that inputs do not gather just under
 * it.
 */
const suspectMs = 5;

export interface FuzzReport {
  readonly seed: number;
  readonly inputs: number;
  readonly accepted: number;
  readonly refusedByCode: Readonly<Record<string, number>>;
  /** The slowest input, by its fastest attempt. */
  readonly slowest: { readonly ms: number; readonly target: string; readonly input: number };
  /** The slowest first attempt, waiting included. */
  readonly longestFirstTryMs: number;
  /** Empty if there was no problem. */
  readonly problems: ReadonlyArray<string>;
}

/** The canary, and what remains of it in base64 at any offset. */
const spellings = [
  canary,
  ...[0, 1, 2].map((shift) =>
    Buffer.from(" ".repeat(shift) + canary)
      .toString("base64url")
      .slice(shift === 0 ? 0 : 4, -4),
  ),
];

const leaks = (exit: Exit.Exit<unknown, unknown>): boolean => {
  const printed = Exit.isSuccess(exit)
    ? [exit.value]
    : [Cause.squash(exit.cause), Cause.pretty(exit.cause)];
  const text = printed
    .map((value) => `${inspect(value, { depth: 9, showHidden: true })}${JSON.stringify(value)}`)
    .join("");
  return spellings.some((spelling) => text.includes(spelling));
};

const timed = async (target: Target, input: string) => {
  const start = performance.now();
  const exit = await Effect.runPromiseExit(target.read(input));
  return { exit, ms: performance.now() - start };
};

/** The fastest of up to four attempts; more than one only if the first was slow. */
const fastest = async (target: Target, input: string) => {
  const first = await timed(target, input);
  let best = first;
  for (let nth = 0; nth < 3 && best.ms > suspectMs; nth += 1) {
    const again = await timed(target, input);
    if (again.ms < best.ms) best = again;
  }
  return { ...best, firstMs: first.ms };
};

const codeOf = (error: unknown): string | undefined => {
  const code: unknown = Reflect.get(Object(error), "code");
  return typeof code === "string" && code.startsWith("AGENT_IDENTITY_") ? code : undefined;
};

/**
 * Passes mutated tokens, JWKS, headers, responses, keys and URLs to the functions that read them. A problem is anything but
 * a value or a typed error, more than 50 ms, or a secret in the output.
 */
export const runFuzz = async (options: {
  readonly seed: number;
  readonly inputs: number;
}): Promise<FuzzReport> => {
  const { seed, inputs } = options;
  const random = makeRandom(seed);
  const targets = await makeTargets();
  const problems: Array<string> = [];
  const refusedByCode: Record<string, number> = {};
  let [accepted, longestFirstTryMs] = [0, 0];
  let slowest = { ms: 0, target: "", input: 0 };
  for (let nth = 0; nth < inputs && problems.length < 10; nth += 1) {
    const target = random.pick(targets);
    const input = target.input(random);
    const { exit, ms, firstMs } = await fastest(target, input);
    longestFirstTryMs = Math.max(longestFirstTryMs, firstMs);
    if (ms > slowest.ms) slowest = { ms, target: target.name, input: nth };
    const say = (what: string) =>
      problems.push(
        `${target.name}, input ${nth} of seed ${seed}: ${what}: ${JSON.stringify(input.slice(0, 500))}`,
      );
    if (ms > maxInputMs) say(`took ${ms.toFixed(0)} ms`);
    if (leaks(exit)) say("a secret came out");
    if (Exit.isSuccess(exit)) {
      accepted += 1;
      continue;
    }
    const error = Cause.squash(exit.cause);
    const code = Cause.hasFails(exit.cause) ? codeOf(error) : undefined;
    if (code === undefined) say(`threw ${String(error)}`);
    else refusedByCode[code] = (refusedByCode[code] ?? 0) + 1;
  }
  return { seed, inputs, accepted, refusedByCode, slowest, longestFirstTryMs, problems };
};
