import * as Effect from "effect/Effect";
import type { Command, CommandSpec } from "../../argv/command-spec.ts";
import { UsageError } from "../../argv/usage-error.ts";
import { bashScript } from "../../completion/bash.ts";
import { fishScript } from "../../completion/fish.ts";
import { completionWords, type Shell, shells } from "../../completion/words.ts";
import { zshScript } from "../../completion/zsh.ts";
import { type ExitCode, exitCode } from "../../errors/exit-code.ts";
import { writeAnswer } from "../../terminal/write.ts";
import { spec } from "./spec.ts";

export interface CompletionOptions {
  readonly shell: Shell;
}

export const command: Command<typeof spec.flags, CompletionOptions> = {
  spec,
  options: ({ args: [given] }) => {
    const shell = shells.find((one) => one === given);
    if (shell === undefined)
      throw new UsageError(`shell is one of ${shells.join(", ")}`, spec.path);
    return { shell };
  },
};

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Prints the script for these commands: those of the table that parsing and help also use. */
export const makeRun =
  (specs: readonly CommandSpec[]) =>
  ({ shell }: CompletionOptions): Effect.Effect<ExitCode> =>
    Effect.sync(() => {
      writeAnswer(scripts[shell](completionWords(specs)));
      return exitCode.done;
    });
