import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { Rejection } from "./request-guard.ts";

const TIME_WAIT = "06";

/**
 * Returns the user id of the process at the other end of a loopback TCP connection, from Linux's table of sockets
 * (proc_pid_net(5)). `undefined` if the table does not list the connection, or on other systems, which have no such table.
 */
export const peerUserId = ({ localPort, remotePort }: Socket): number | undefined => {
  if (localPort === undefined || remotePort === undefined) return undefined;
  const ends = ` ${hex(remotePort)} ${hex(localPort)} `;
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readTable(table).split("\n").slice(1)) {
      const [, local = "", remote = "", state, , , , uid] = line.trim().split(/\s+/u);
      if (` ${portOf(local)} ${portOf(remote)} ` !== ends) continue;
      // A connection in TIME_WAIT has lost its owner, and the table says 0.
      if (state !== TIME_WAIT && isLoopback(local) && isLoopback(remote)) return Number(uid);
    }
  }
  return undefined;
};

const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");

const portOf = (address: string): string => address.slice(address.lastIndexOf(":") + 1);

/** 127.0.0.0/8 as the kernel prints it (little endian), alone or mapped into IPv6. */
const isLoopback = (address: string): boolean =>
  /(?:^|0000FFFF|FFFF0000)[0-9A-F]{6}7F:/u.test(address);

const readTable = (path: string): string => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
};

/** Whether this system has a table of sockets that names their owners: Linux. */
export const canSeePeerUsers = (): boolean => readTable("/proc/net/tcp") !== "";

/**
 * Returns a function that rejects connections of other users, but for root, who can read the credential anyway. It asks
 * once per connection.
 */
export const makePeerGuard = (ownUserId: number): ((socket: Socket) => Rejection | null) => {
  const known = new WeakMap<Socket, Rejection | null>();
  return (socket) => {
    const judged = known.get(socket);
    if (judged !== undefined) return judged;
    const uid = peerUserId(socket);
    const rejection = uid === ownUserId || uid === 0 ? null : otherUser;
    known.set(socket, rejection);
    return rejection;
  };
};

const otherUser: Rejection = {
  status: 403,
  code: "CLI_PROXY_OTHER_USER",
  message: "this proxy serves the user who started it",
  hint: "Start a proxy of your own, or ask that user to start it with --allow-other-users and --token-file.",
};
