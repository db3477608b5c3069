import { command, run } from "../commands/api/api.ts";
import { runCommand } from "../run-command.ts";

// The default store is loaded on demand, like every store. Named here, it comes with the bundle's first file instead of
// in one of its own: almost every run needs it.
export { layer as defaultStore } from "@agent-auth/login/storage/file";

/** Entry of a separate bundle: see rolldown.config.ts. */
export const start = (words: readonly string[]): void => runCommand(command, run, words);
