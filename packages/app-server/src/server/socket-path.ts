import { join } from "node:path";

/** Codex uses the same names, so that a server of either program finds a server of the other. */
export const controlFolderName = "app-server-control";
const socketName = "app-server-control.sock";

/**
 * Returns the socket on which an app server of this CODEX_HOME listens unless another path is given.
 *
 * @example
 * ```ts
 * import { defaultSocketPath } from "@agent-auth/app-server/server";
 *
 * console.log(defaultSocketPath("/home/ada/.codex"));
 * // /home/ada/.codex/app-server-control/app-server-control.sock
 * ```
 */
export const defaultSocketPath = (codexHome: string): string =>
  join(codexHome, controlFolderName, socketName);
