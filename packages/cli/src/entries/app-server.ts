import { command, run } from "../commands/app-server/serve.ts";
import { runCommand } from "../run-command.ts";

// Named here, what every run needs comes with the bundle's first file: the store that is the default, and the transport.
export { layer as defaultStore } from "@agent-auth/login/storage/file";
export { serveStdio } from "@agent-auth/app-server/server";

/** Entry of a separate bundle: see rolldown.config.ts. */
export const start = (words: readonly string[]): void => runCommand(command, run, words);
