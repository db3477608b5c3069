import { spawn, type ChildProcess } from "node:child_process";
import * as Effect from "effect/Effect";
import type { TerminalEnvironment } from "../../terminal/terminal-environment.ts";

/** Milliseconds after which a program that was to open a browser and still runs counts as having done so. */
const SETTLED_MS = 3_000;

/**
 * How to open a URL here, or `undefined` where a window would open on no screen, or on one that the person does not
 * sit at. `BROWSER` beats the system's own choice.
 */
export const browserOpener = (
  terminal: TerminalEnvironment,
): ((url: string) => Effect.Effect<void, Error>) | undefined => {
  const { browser, hasDisplay, isRemote } = terminal;
  if (browser === "none") return undefined;
  if (browser !== undefined) {
    return (url) =>
      started(() => endedWell(spawn(browser, [url], { stdio: "ignore", detached: true })));
  }
  if (isRemote || !hasDisplay) return undefined;
  return (url) =>
    started(async () => {
      const { default: open } = await import("open");
      await endedWell(await open(url));
    });
};

/** Done when the opener has ended well, or still runs after a while. It outlives this process. */
const started = (start: () => Promise<void>): Effect.Effect<void, Error> =>
  Effect.tryPromise({ try: start, catch: toError }).pipe(
    Effect.timeoutOption(SETTLED_MS),
    Effect.asVoid,
  );

/** Listens at once: a program that does not exist says so in the next tick, and kills the process if nobody hears it. */
const endedWell = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`the browser ended with ${code}`)),
    );
    child.unref();
  });

const toError = (cause: unknown): Error =>
  cause instanceof Error ? cause : new Error("the browser could not be started");
