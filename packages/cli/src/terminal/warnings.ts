import * as Effect from "effect/Effect";
import * as Logger from "effect/Logger";
import { printable } from "./safe-text.ts";
import { makeNotify, type Notify } from "./write.ts";

/** Milliseconds for which a text is not repeated. */
const QUIET_MS = 10 * 60_000;

/** The most texts that are remembered; if there are more, some are repeated sooner. */
const REMEMBERED_TEXTS = 50;

/**
 * Prints the warnings of the other packages on stderr, one line each. Effect's own logger would write it
 * to stdout, into the output. `--quiet` silences it.
 */
export const withWarnings =
  (globals: { readonly quiet: boolean }) =>
  <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    const warn = makeWarn(makeNotify(globals));
    const logger = Logger.make(({ date, logLevel, message }) => {
      if (told.has(logLevel)) warn([message].flat().map(String).join(" "), date.getTime());
    });
    return Effect.provideService(program, Logger.CurrentLoggers, new Set([logger]));
  };

const told: ReadonlySet<string> = new Set(["Warn", "Error", "Fatal"]);

/**
 * Prints each text at most once in ten minutes: several steps of one command can find the same fault, such as a missing
 * keyring, and a proxy that runs for days finds it again and again.
 */
export const makeWarn = (notify: Notify) => {
  const toldAtMs = new Map<string, number>();
  return (message: string, nowMs: number): void => {
    const text = printable(message);
    const lastMs = toldAtMs.get(text);
    if (lastMs !== undefined && Math.abs(nowMs - lastMs) < QUIET_MS) return;
    toldAtMs.delete(text); // keeps the map in the order in which texts were printed
    toldAtMs.set(text, nowMs);
    for (const oldest of toldAtMs.keys()) {
      if (toldAtMs.size <= REMEMBERED_TEXTS) break;
      toldAtMs.delete(oldest);
    }
    notify(`warning: ${text}`);
  };
};
