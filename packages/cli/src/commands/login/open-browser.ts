import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import { launchOf } from "@agent-auth/login/programs";
import { untraced } from "@agent-auth/model-provider/credentials/untraced";
import { withoutVariables } from "@agent-auth/login/config/environment";
import * as Effect from "effect/Effect";
import type { TerminalEnvironment } from "../../terminal/terminal-environment.ts";

/** Milliseconds after which a browser that still runs counts as opened. */
const settledMs = 3_000;

type Opener = (link: string) => Effect.Effect<void, Error>;

/**
 * Returns a function that opens a link in a browser. Returns `undefined` if no window can open, or if it would open on
 * the screen of another machine. `BROWSER` takes precedence over the system's browser; `none` means no browser.
 */
export const browserOpener = (
  {
    browser,
    hasDisplay,
    isRemote,
  }: Pick<TerminalEnvironment, "browser" | "hasDisplay" | "isRemote">,
  platform: NodeJS.Platform = process.platform,
): Opener | undefined => {
  if (browser !== undefined) {
    const commands = parseBrowser(browser);
    return commands.length === 0 ? undefined : (link) => openWithFirst(commands, link);
  }
  if (isRemote || !hasDisplay) return undefined;
  return platform === "darwin" ? openOnMacOs : openWithSystem;
};

/** A program and its arguments. `%s` in them is replaced by the link; without `%s`, the link is the last argument. */
export type BrowserCommand = readonly [program: string, ...args: ReadonlyArray<string>];

/**
 * Parses the variable `BROWSER` as xdg-open and Python do: a list of commands, separated by `:` (`;` on Windows), of which
 * the first that works is used. A command is split at white space, where quotes, and backslashes before white space or
 * quotes, keep words together; a command that is the path of an existing file is not split. An `&` at the end, with
 * which Python does not wait for the browser, is left out.
 */
export const parseBrowser = (browser: string): ReadonlyArray<BrowserCommand> =>
  browser.split(delimiter).flatMap((entry): ReadonlyArray<BrowserCommand> => {
    const command = entry.trim();
    if (command === "" || command === "none") return [];
    const [program, ...args] = existsSync(command) ? [command] : splitWords(command);
    return program === undefined ? [] : [[program, ...args]];
  });

const splitWords = (command: string): ReadonlyArray<string> =>
  Array.from(
    command.replace(/\s&$/u, "").matchAll(/(?:\\[\s"'\\]|"[^"]*"|'[^']*'|[^\s"'])+/gu),
    ([word]) => word.replaceAll(/\\([\s"'\\])|"([^"]*)"|'([^']*)'/gu, "$1$2$3"),
  );

const argumentsWith = (args: ReadonlyArray<string>, link: string): ReadonlyArray<string> =>
  args.some((arg) => arg.includes("%s"))
    ? args.map((arg) => arg.replaceAll("%s", link))
    : [...args, link];

const openWithFirst = (commands: ReadonlyArray<BrowserCommand>, link: string) =>
  Effect.firstSuccessOf(
    commands.map(([program, ...args]) =>
      untilSettled(() => succeeds(start(program, argumentsWith(args, link)))),
    ),
  );

/**
 * Passes the AppleScript on stdin. The link must not be in the arguments of a process, because every user of the
 * machine can read them.
 */
const openOnMacOs: Opener = (link) =>
  untilSettled(() => {
    const child = start("osascript", [], { stdio: ["pipe", "ignore", "ignore"] });
    child.stdin?.on("error", () => {}); // its exit code shows whether that worked
    child.stdin?.end(`open location "${link}"\n`);
    return succeeds(child);
  }).pipe(Effect.catch(() => openWithSystem(link)));

const openWithSystem: Opener = (link) =>
  untilSettled(async () => {
    const { default: open } = await import("open");
    await succeeds(await open(link));
  });

/** The browser keeps running after this process. */
const start = (
  program: string,
  args: ReadonlyArray<string>,
  options: SpawnOptions = { stdio: "ignore" },
): ChildProcess => {
  const env = browserEnvironment();
  const { file, args: quoted, ...how } = launchOf(program, args, { env });
  return untraced(() => spawn(file, quoted, { detached: true, env, ...options, ...how }));
};

/**
 * A browser does not need the variables that carry or select a credential, and passes them on to the native programs of
 * its extensions.
 */
const browserEnvironment = (): NodeJS.ProcessEnv => withoutVariables(process.env);

/** Succeeds when the browser has exited successfully, or still runs after `settledMs`. */
const untilSettled = (open: () => Promise<void>): Effect.Effect<void, Error> =>
  Effect.tryPromise({ try: async () => open(), catch: toError }).pipe(
    Effect.timeoutOption(settledMs),
    Effect.asVoid,
  );

/** Listens at once: a program that does not exist emits `error` in the next tick, which ends the process if unhandled. */
const succeeds = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`the browser exited with ${code}`)),
    );
    child.unref();
  });

const toError = (cause: unknown): Error =>
  cause instanceof Error ? cause : new Error("the browser could not be started");
