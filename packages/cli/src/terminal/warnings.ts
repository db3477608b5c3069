import * as Effect from "effect/Effect";
import * as Logger from "effect/Logger";
import { printable } from "./printable.ts";
import { makeSay } from "./say.ts";

/**
 * Tells people, on stderr and one line each, what the packages underneath warn of. Effect's own logger would write it
 * to stdout, into the midst of an answer. `--quiet` silences it. A text is told once: several steps of one command can
 * find the same fault, such as a keyring that is missing.
 */
export const withWarnings =
  (globals: { readonly quiet: boolean }) =>
  <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    const say = makeSay(globals);
    const said = new Set<string>();
    const logger = Logger.make(({ logLevel, message }) => {
      if (!told.has(logLevel)) return;
      const text = printable([message].flat().map(String).join(" "));
      if (said.has(text)) return;
      said.add(text);
      say(`warning: ${text}`);
    });
    return Effect.provideService(program, Logger.CurrentLoggers, new Set([logger]));
  };

const told: ReadonlySet<string> = new Set(["Warn", "Error", "Fatal"]);
