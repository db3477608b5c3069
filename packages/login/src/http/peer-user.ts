import { closeSync, openSync, readSync } from "node:fs";

/** The two ends of a connection, as `Socket` of `node:net` has them. */
export interface SocketEnds {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/**
 * Returns the user id of the process at the other end of a TCP connection over loopback, from Linux's table of
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
  // Ports alone do not identify a connection: another user may bind the same port of another loopback address.
  const remote = endpointsOf(socket.remoteAddress, socket.remotePort);
  const local = endpointsOf(socket.localAddress, socket.localPort);
  const plain = ownerIn("/proc/net/tcp", `: ${remote?.plain} ${local?.plain} `);
  if (typeof plain === "number" || plain === undefined) return plain;
  // The other end of an IPv4 connection may be an IPv6 socket.
  return ownerIn("/proc/net/tcp6", `: ${remote?.mapped} ${local?.mapped} `) ?? null;
};

/** The fields of a line after its endpoints: state, queues, timer, retransmits, user, timeout, inode. */
const afterEndpoints = /^\S+ \S+ \S+ \S+ +(\d+) +\d+ (\d+) /u;

/**
 * Returns the user of the line with these endpoints, `null` if there is none with an open socket, and `undefined` if
 * the table cannot be read. A busy machine has tens of thousands of lines, and the kernel returns one page of them per
 * read: reading ends with the line that was sought, and other lines are not parsed.
 */
const ownerIn = (path: string, endpoints: string): number | null | undefined => {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const buffer = (tableBuffer ??= Buffer.allocUnsafeSlow(TABLE_READ_BYTES));
    let kept = 0; // bytes of a line whose rest has not been read yet
    for (;;) {
      const read = readSync(file, buffer, kept, buffer.length - kept, null);
      if (read === 0) return null;
      const lines = buffer.subarray(0, kept + read);
      const end = lines.lastIndexOf("\n") + 1;
      for (let at = 0; (at = lines.indexOf(endpoints, at, "latin1")) !== -1 && at < end; at += 1) {
        const rest = lines.toString("latin1", at + endpoints.length, lines.indexOf("\n", at));
        const [, user, inode] = afterEndpoints.exec(rest) ?? [];
        // A socket that its process has closed has no inode, and the table says 0 for its user.
        if (user !== undefined && inode !== "0") return Number(user);
      }
      kept = lines.copy(buffer, 0, end);
    }
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
};

/** More than a page and a line of the table. */
const TABLE_READ_BYTES = 64 * 1024;

/** One for all calls, which are synchronous: one for each would be garbage of 64 MiB after 1,000 connections. */
let tableBuffer: Buffer | undefined;

/** An IPv4 endpoint as the kernel prints it, alone and mapped into IPv6: 32-bit words in the order of the machine. */
const endpointsOf = (
  address: string | undefined,
  port: number | undefined,
): { readonly plain: string; readonly mapped: string } | undefined => {
  if (port === undefined) return undefined;
  const suffix = `:${hex(port, 4)}`;
  if (address === "::1") {
    const [last] = new Uint32Array(Uint8Array.of(0, 0, 0, 1).buffer);
    // Never in the table of IPv4.
    return { plain: "-", mapped: `${hex(0, 24)}${hex(last ?? 0, 8)}${suffix}` };
  }
  const bytes = (address ?? "").replace(/^::ffff:/iu, "").split(".");
  if (bytes.length !== 4) return undefined;
  const words = new Uint32Array(Uint8Array.of(0, 0, 0xff, 0xff, ...bytes.map(Number)).buffer);
  const [mark, plain] = Array.from(words, (word) => hex(word, 8));
  return { plain: `${plain}${suffix}`, mapped: `${hex(0, 16)}${mark}${plain}${suffix}` };
};

const hex = (value: number, digits: number): string =>
  value.toString(16).toUpperCase().padStart(digits, "0");
