import * as Effect from "effect/Effect";
import type { Command, FlagTable } from "./argv/command-spec.ts";
import { commandHelp } from "./argv/help.ts";
import { parseInvocation } from "./argv/parse.ts";
import { UsageError } from "./argv/usage-error.ts";
import { exitCode, type ExitCode } from "./errors/exit-code.ts";
import { CliError } from "./errors/cli-error.ts";
import { reportError } from "./errors/report.ts";
import { runMain } from "./run-main.ts";
import { helpStyle } from "./terminal/is-terminal.ts";
import { withWarnings } from "./terminal/warnings.ts";
import { StdoutClosed, writeAnswer, writeLine } from "./terminal/write.ts";

/** Parses the words after a command's name and runs the command. Ends the process. */
export const runCommand = <Flags extends FlagTable, Options>(
  command: Command<Flags, Options>,
  run: (options: Options) => Effect.Effect<ExitCode>,
  words: readonly string[],
): void => {
  guard(() => {
    const invocation = parseInvocation(command.spec, words);
    if (invocation.globals.help) {
      const style = helpStyle();
      return writeAnswer(
        commandHelp(command.spec, { withHidden: invocation.globals.verbose, style }),
      );
    }
    const program = run(command.options(invocation));
    const told = withWarnings(invocation.globals)(program);
    runMain(invocation.globals.verbose ? Effect.andThen(logRequests, told) : told, {
      verbose: invocation.globals.verbose,
      endsOnSignal: command.spec.endsOnSignal === true,
      handlesSignals: command.spec.handlesSignals === true,
    });
  });
};

const logRequests = Effect.promise(async () => {
  const { startRequestLog } = await import("./http/request-log.ts");
  startRequestLog();
});

/** Reports a wrong command line in one line, with exit code 2. */
export const guard = (body: () => void): void => {
  try {
    body();
  } catch (error) {
    if (error instanceof StdoutClosed) return;
    if (error instanceof CliError) {
      process.exitCode = reportError("Error", error);
      return;
    }
    if (!(error instanceof UsageError)) throw error;
    writeLine(`error: ${error.message} (try: ${["agent-auth", ...error.path].join(" ")} --help)`);
    process.exitCode = exitCode.usageOrCancelled;
  }
};
