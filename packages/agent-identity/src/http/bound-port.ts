import type { AddressInfo } from "node:net";

/** What this needs of a `net.Server` or `http.Server`. */
interface Listening {
  readonly address: () => AddressInfo | string | null;
}

/**
 * Returns the port on which a server listens; 0 for a Unix socket, or if it does not listen.
 *
 * @example
 * ```ts
 * import { boundPort } from "@agent-auth/agent-identity/http/bound-port";
 * import { createServer } from "node:http";
 *
 * boundPort(createServer()); // 0
 * ```
 */
export const boundPort = (server: Listening): number => {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};
