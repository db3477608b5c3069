import type { ChildProcess } from "node:child_process";
import { isAbsolute, resolve } from "node:path";
import { maxTimerMs } from "@agent-auth/agent-identity/http/timeouts";
import type { EnvFile } from "@agent-auth/login/config";
import { toSingleLine } from "@agent-auth/agent-identity/encoding";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { TokenCommandFailed } from "../errors/index.ts";
import { untraced } from "./untraced.ts";

export interface CommandToRun {
  readonly command: string;
  /** Any of them may be a secret. */
  readonly args: ReadonlyArray<Redacted.Redacted>;
  readonly timeoutMs: number;
  readonly cwd?: string;
  readonly dotEnv?: EnvFile;
  readonly withheld?: ReadonlyArray<string>;
  readonly maxStdoutBytes: number;
}

/**
 * Milliseconds that output is read after the command has exited. What the command itself printed is in the pipe by then;
 * only a process that it left running could keep the pipe open.
 */
const drainMs = 100;

type Reason = TokenCommandFailed["reason"];

/** Characters of stderr that an error quotes. */
const maxStderr = 512;

/**
 * Runs a program without a shell and without stdin. Returns its stdout if it exits with 0 within `timeoutMs`. Processes
 * that it left running keep running; a program that is stopped is killed together with its process group.
 */
export const runCommand = (toRun: CommandToRun): Effect.Effect<Buffer, TokenCommandFailed> =>
  Effect.flatMap(
    // Loaded here: most programs run no command.
    Effect.promise(() =>
      Promise.all([
        import("node:child_process"),
        import("@agent-auth/login/config/environment"),
        import("@agent-auth/login/programs"),
      ]),
    ),
    ([{ spawn }, { privateVariables, withoutVariables }, { launchOf }]) =>
      Effect.callback<Buffer, TokenCommandFailed>((resume) => {
        const fail = (reason: Reason) =>
          Effect.fail(new TokenCommandFailed({ command: toRun.command, reason }));
        let child: ChildProcess;
        try {
          const env = withoutVariables(withDotEnv(process.env, toRun.dotEnv?.variables), [
            ...privateVariables,
            ...(toRun.withheld ?? []),
          ]);
          const cwd = toRun.cwd === undefined ? {} : { cwd: toRun.cwd };
          const args = toRun.args.map(Redacted.value);
          const launch = launchOf(programPath(toRun), args, { env, ...cwd });
          child = untraced(() =>
            spawn(launch.file, launch.args, {
              stdio: ["ignore", "pipe", "pipe"],
              windowsHide: true,
              windowsVerbatimArguments: launch.windowsVerbatimArguments === true,
              detached: ownsGroup,
              env,
              ...cwd,
            }),
          );
        } catch (error) {
          resume(fail({ _tag: "NotStarted", errno: errnoOf(error) }));
          return undefined;
        }
        const killer = killOnExit(child);
        const finish = (result: Effect.Effect<Buffer, TokenCommandFailed>) => {
          clearTimeout(timer);
          killer.forget();
          resume(result);
        };
        const stop = (reason: Reason) => {
          killer.kill();
          finish(fail(reason));
        };
        let timer = setTimeout(
          () => stop({ _tag: "TimedOut", afterMs: toRun.timeoutMs }),
          Math.min(toRun.timeoutMs, maxTimerMs),
        );
        const stdout = collect(child.stdout, toRun.maxStdoutBytes, () =>
          stop({ _tag: "BadOutput", what: "tooLong" }),
        );
        const stderr = collect(child.stderr, 8 * maxStderr);
        child.once("error", (error) => finish(fail({ _tag: "NotStarted", errno: errnoOf(error) })));
        child.once("exit", (exitCode, signal) => {
          clearTimeout(timer);
          const end = () => {
            closePipes(child);
            if (exitCode === 0) finish(Effect.succeed(Buffer.concat(stdout)));
            else
              finish(
                fail(
                  ending(
                    exitCode,
                    signal,
                    toSingleLine(Buffer.concat(stderr).toString("utf8"), maxStderr),
                  ),
                ),
              );
          };
          timer = setTimeout(end, drainMs);
          child.once("close", end);
        });
        return Effect.sync(() => {
          clearTimeout(timer);
          killer.kill();
          killer.forget();
        });
      }),
  );

const programPath = (toRun: CommandToRun): string => {
  const isPath = /[\\/]/.test(toRun.command) && !isAbsolute(toRun.command);
  return isPath && toRun.cwd !== undefined ? resolve(toRun.cwd, toRun.command) : toRun.command;
};

/** Codex sets the variables of `.env` in its own process, so its commands inherit them. */
const withDotEnv = (
  own: NodeJS.ProcessEnv,
  dotEnv: EnvFile["variables"] | undefined,
): NodeJS.ProcessEnv => {
  const isUnset = (name: string): boolean => (own[name]?.trim() ?? "") === "";
  const added = Object.entries(dotEnv ?? {}).flatMap(([name, value]) =>
    isUnset(name) ? [[name, Redacted.value(value)] as const] : [],
  );
  return { ...own, ...Object.fromEntries(added) };
};

/** On POSIX the command leads a process group, so that it can be killed together with its child processes. */
const ownsGroup = process.platform !== "win32";

const closePipes = (child: ChildProcess): void => {
  child.stdout?.destroy();
  child.stderr?.destroy();
};

const killOnExit = (child: ChildProcess) => {
  const kill = () => {
    const { pid } = child;
    if (pid === undefined) return;
    try {
      if (ownsGroup) process.kill(-pid, "SIGKILL");
      else child.kill("SIGKILL");
    } catch {
      // It has exited already.
    }
    closePipes(child);
  };
  process.once("exit", kill);
  return { kill, forget: () => process.removeListener("exit", kill) };
};

const collect = (
  stream: NodeJS.ReadableStream | null,
  maxBytes: number,
  onTooLong?: () => void,
): Array<Buffer> => {
  const chunks: Array<Buffer> = [];
  let bytes = 0;
  stream?.on("data", (chunk: Buffer) => {
    chunks.push(chunk.subarray(0, Math.max(0, maxBytes - bytes)));
    bytes += chunk.length;
    if (bytes > maxBytes) onTooLong?.();
  });
  stream?.on("error", () => {}); // The pipe of a killed command; its exit is what counts.
  return chunks;
};

const ending = (exitCode: number | null, signal: string | null, stderr: string): Reason =>
  exitCode === null
    ? { _tag: "Killed", signal: signal ?? "a signal", stderr }
    : { _tag: "Exited", exitCode, stderr };

const errnoOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown";
