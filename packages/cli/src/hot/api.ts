import { command, run } from "../commands/api/api.ts";
import { runCommand } from "../run-command.ts";

/** Entry of a bundle of its own: see rolldown.config.ts. */
export const start = (words: readonly string[]): void => runCommand(command, run, words);
