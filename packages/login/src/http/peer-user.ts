import { readFileSync } from "node:fs";

/** The two ends of a connection, as `Socket` of `node:net` has them. */
export interface SocketEnds {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/**
 * Returns the user id of the process at the other end of a TCP connection over IPv4 loopback, from Linux's table of
 * sockets (proc_pid_net(5)). Returns `null` if no process has that end open (any more), and `undefined` on other systems,
 * which have no such table.
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
export const peerUserId = (socket: SocketEnds): number | null | undefined => {
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(readTable);
  if (tables[0] === undefined) return undefined;
  // Ports alone do not identify a connection: another user may bind the same port of another loopback address.
  const remote = endpointsOf(socket.remoteAddress, socket.remotePort);
  const local = endpointsOf(socket.localAddress, socket.localPort);
  for (const [at, table] of tables.entries()) {
    for (const line of (table ?? "").split("\n").slice(1)) {
      const [, itsLocal, itsRemote, , , , , uid, , inode] = line.trim().split(/\s+/u);
      if (itsLocal !== remote?.[at] || itsRemote !== local?.[at]) continue;
      // A socket that its process has closed has no inode, and the table says 0 for its user.
      if (inode !== "0") return Number(uid);
    }
  }
  return null;
};

/** An IPv4 endpoint as the kernel prints it, alone and mapped into IPv6: 32-bit words in the order of the machine. */
const endpointsOf = (
  address: string | undefined,
  port: number | undefined,
): readonly [string, string] | undefined => {
  const bytes = (address ?? "").replace(/^::ffff:/iu, "").split(".");
  if (bytes.length !== 4 || port === undefined) return undefined;
  const words = new Uint32Array(Uint8Array.of(0, 0, 0xff, 0xff, ...bytes.map(Number)).buffer);
  const [mapped, plain] = Array.from(words, (word) => hex(word, 8));
  return [`${plain}:${hex(port, 4)}`, `${hex(0, 16)}${mapped}${plain}:${hex(port, 4)}`];
};

const hex = (value: number, digits: number): string =>
  value.toString(16).toUpperCase().padStart(digits, "0");

const readTable = (path: string): string | undefined => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
};
