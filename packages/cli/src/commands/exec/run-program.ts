import { BatchArgumentInvalid, launchOf } from "@agent-auth/login/programs";
import { untraced } from "@agent-auth/model-provider/credentials/untraced";
import * as Effect from "effect/Effect";
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { ExitCode } from "../../errors/exit-code.ts";
import { CliError } from "../../errors/cli-error.ts";
import { isTerminal } from "../../terminal/is-terminal.ts";

/** Runs a program on this terminal and returns its exit code, or 128 + the number of the signal that ended it. */
export const runProgram = (
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
) =>
  Effect.callback<ExitCode, CliError>((resume) => {
    let child: ChildProcess;
    try {
      const { file, args: quoted, ...how } = launchOf(program, args, { env });
      child = untraced(() => spawn(file, quoted, { env, stdio: "inherit", ...how }));
    } catch (error) {
      resume(Effect.fail(notStarted(program, error)));
      return;
    }
    const release = passSignalsOn(child);
    child.once("error", (error) => {
      release();
      resume(Effect.fail(notStarted(program, error)));
    });
    child.once("exit", (code, signal) => {
      release();
      resume(Effect.succeed(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
    });
  });

/**
 * On a terminal, the program gets Ctrl-C as well, so this process only has to ignore it. Other signals are passed on, and
 * so is Ctrl-C without a terminal.
 */
const passSignalsOn = (child: ChildProcess): (() => void) => {
  const passOn = (signal: NodeJS.Signals) => child.kill(signal);
  const signals = ["SIGTERM", "SIGHUP", "SIGQUIT"] as const;
  for (const signal of signals) process.on(signal, passOn);
  const onInterrupt = isTerminal(0) ? () => {} : passOn;
  process.on("SIGINT", onInterrupt);
  return () => {
    for (const signal of signals) process.off(signal, passOn);
    process.off("SIGINT", onInterrupt);
  };
};

/** Node throws some of these errors and emits others: a path through a file, a name that is too long. */
const notStarted = (program: string, error: unknown) => {
  if (error instanceof BatchArgumentInvalid)
    return new CliError({
      code: "CLI_PROGRAM_NOT_STARTED",
      message: `cannot start ${program}: ${error.message}`,
      hint: "Run the program that the batch file starts, or pass the text in a file or on stdin.",
      exitCode: 126,
    });
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
  return new CliError({
    code: "CLI_PROGRAM_NOT_STARTED",
    message: `cannot start ${program === "" ? '""' : program} (${code})`,
    hint: "Check the program's name and PATH.",
    exitCode: code === "ENOENT" ? 127 : 126,
  });
};
