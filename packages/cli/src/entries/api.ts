import { command, run } from "../commands/api/api.ts";
import { runCommand } from "../run-command.ts";

// The default store is loaded on demand, like every store. Named here, it is in the bundle's first file instead of a
// separate one: almost every run needs it.
export { layer as defaultStore } from "@agent-auth/login/storage/file";

/** Entry of a separate bundle: see rolldown.config.ts. */
export const start = (words: readonly string[]): void => runCommand(command, run, words);
