import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { TerminalEnvironment } from "./terminal-environment.ts";
import { writeError } from "./write.ts";

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;
const CLEAR = "\r\u001b[2K";

/** A line that is redrawn while an operation runs. */
export interface StatusLine {
  /** Writes a line above it. */
  readonly print: (line: string) => void;
  /** Runs an effect while the line shows a spinner and `text`, which may change as time goes by. */
  readonly during: <A, E, R>(
    text: (nowMs: number) => string,
    effect: Effect.Effect<A, E, R>,
  ) => Effect.Effect<A, E, R>;
}

/** If stderr is not a terminal, only `say` writes: a log needs no spinner. The line is erased when the effect ends. */
export const makeStatusLine = (
  terminal: TerminalEnvironment,
  write: (text: string) => void = writeError,
): StatusLine => {
  if (!terminal.isTerminal) {
    return { print: (line) => write(`${line}\n`), during: (_text, effect) => effect };
  }
  let isDrawn = false;
  const erase = () => {
    if (isDrawn) write(CLEAR);
    isDrawn = false;
  };
  const draw = (frame: string, text: string) => {
    const width = terminal.columns() - 1; // a full line would wrap, and the next one could not be drawn over it
    write(`${CLEAR}${Array.from(`${frame} ${text}`).slice(0, width).join("")}`);
    isDrawn = true;
  };
  const keepDrawing = (text: (nowMs: number) => string) =>
    Effect.gen(function* () {
      for (let turn = 0; ; turn += 1) {
        draw(FRAMES[turn % FRAMES.length] ?? "", text(yield* Clock.currentTimeMillis));
        yield* Effect.sleep(FRAME_MS);
      }
    });
  return {
    print: (line) => {
      erase();
      write(`${line}\n`);
    },
    during: (text, effect) =>
      Effect.raceFirst(effect, keepDrawing(text)).pipe(Effect.ensuring(Effect.sync(erase))),
  };
};
