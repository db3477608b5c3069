import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

const TIME_WAIT = "06";

/**
 * Returns the user id of the process at the other end of a loopback TCP connection, from Linux's table of sockets
 * (proc_pid_net(5)). Returns `undefined` if the table does not list the connection, and on other systems, which have no
 * such table.
 *
 * @example
 * ```ts
 * import { peerUserId } from "@agent-auth/login/http/peer-user";
 * import { createServer } from "node:http";
 *
 * createServer((request, response) => {
 *   const isOwnUser = peerUserId(request.socket) === process.getuid?.();
 *   response.writeHead(isOwnUser ? 200 : 403).end();
 * });
 * ```
 */
export const peerUserId = ({
  localPort,
  remotePort,
}: Pick<Socket, "localPort" | "remotePort">): number | undefined => {
  if (localPort === undefined || remotePort === undefined) return undefined;
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readTable(table).split("\n").slice(1)) {
      const [, local = "", remote = "", state, , , , uid] = line.trim().split(/\s+/u);
      if (portOf(local) !== remotePort || portOf(remote) !== localPort) continue;
      // A connection in TIME_WAIT has no owner any more, and the table says 0.
      if (state !== TIME_WAIT && isLoopback(local) && isLoopback(remote)) return Number(uid);
    }
  }
  return undefined;
};

const portOf = (address: string): number =>
  Number.parseInt(address.slice(address.lastIndexOf(":") + 1), 16);

/** 127.0.0.0/8 as a little-endian kernel prints it, alone or mapped into IPv6. */
const isLoopback = (address: string): boolean =>
  /(?:^|0000FFFF|FFFF0000)[0-9A-F]{6}7F:/u.test(address);

const readTable = (path: string): string => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
};
