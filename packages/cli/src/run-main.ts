import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { exitCode, type ExitCode } from "./errors/exit-code.ts";
import { CliError } from "./errors/cli-error.ts";
import { reportError } from "./errors/report.ts";
import { StdoutClosed, writeLine } from "./terminal/write.ts";

/** POSIX shells report a process that a signal ended as 128 + its number. */
const HUNG_UP = 129;
const TERMINATED = 143;

export interface RunOptions {
  readonly verbose: boolean;
  /** Whether a signal is how this command is meant to end. */
  readonly endsOnSignal?: boolean;
  /** Whether the command handles signals itself. Until it does, they end the process at once. */
  readonly handlesSignals?: boolean;
}

/**
 * Runs a command to its end and ends the process. Ctrl-C interrupts it: its resources are released first, and the
 * exit code is 2. A second Ctrl-C does not wait.
 */
export const runMain = (program: Effect.Effect<ExitCode>, options: RunOptions): void => {
  let interruptedWith: ExitCode | undefined;
  const fiber = Effect.runFork(program);
  const stopWith = (code: ExitCode) => () => {
    if (interruptedWith !== undefined) process.exit(code);
    interruptedWith = code;
    fiber.interruptUnsafe();
  };
  const isProperEnd = options.endsOnSignal === true;
  const handleSignals = () => {
    process.on("SIGINT", stopWith(isProperEnd ? exitCode.done : exitCode.usageOrCancelled));
    process.on("SIGTERM", stopWith(isProperEnd ? exitCode.done : TERMINATED));
    process.on("SIGHUP", stopWith(HUNG_UP));
  };
  // A command that runs until a signal may get the signal as soon as it has written its first line, so its handlers are
  // installed at once. Other commands install them after the microtasks that are already queued: a fast command has ended
  // by then, and saves the half millisecond that handlers cost.
  if (options.handlesSignals !== true) {
    if (isProperEnd) handleSignals();
    else process.nextTick(handleSignals);
  }
  fiber.addObserver((exit) => {
    process.exit(
      Exit.isSuccess(exit) ? exit.value : endOf(exit.cause, interruptedWith, options.verbose),
    );
  });
};

const endOf = (
  cause: Cause.Cause<never>,
  interruptedWith: ExitCode | undefined,
  verbose: boolean,
): ExitCode => {
  if (interruptedWith !== undefined && Cause.hasInterruptsOnly(cause)) return interruptedWith;
  const defect = Cause.squash(cause);
  if (defect instanceof StdoutClosed) return exitCode.done;
  if (defect instanceof CliError) return reportError("Error", defect);
  reportDefect(defect, verbose);
  return exitCode.failed;
};

/** A bug in this program. Its message could contain anything, so only its name is shown, and its location with --verbose. */
const reportDefect = (defect: unknown, verbose: boolean) => {
  const name = defect instanceof Error ? defect.name : typeof defect;
  const where = verbose && defect instanceof Error ? stackFrames(defect) : [];
  const lines = [
    `agent-auth: internal error (${name}); run it again with --verbose for details`,
    ...where,
  ];
  writeLine(lines.join("\n"));
};

/**
 * The stack frames of an error without its message. V8 writes the message before the frames, and a message may contain
 * lines that look like frames.
 */
export const stackFrames = ({ message, stack = "" }: Error): readonly string[] => {
  const at = stack.indexOf(message);
  const behind = at < 0 ? "" : stack.slice(at + message.length);
  return behind.split("\n").filter((line) => /^ {4}at /u.test(line));
};
