import { command, run } from "../commands/login-status/login-status.ts";
import { runCommand } from "../run-command.ts";

// Every store is loaded on demand. This export puts the default store into the bundle's first file instead of a separate
// one, because almost every run needs it.
export { layer as defaultStore } from "@agent-auth/login/storage/file";

/** Entry of a separate bundle: see rolldown.config.ts. */
export const start = (words: readonly string[]): void => runCommand(command, run, words);
