import { peerUserId } from "@agent-auth/login/http/peer-user";
import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import type { Rejection } from "./request-guard.ts";

/** Returns whether this system has a table with the owner of each socket. Only Linux has one. */
export const canSeePeerUsers = (): boolean => existsSync("/proc/net/tcp");

/**
 * Returns a function that rejects connections of other users, except root, who can read the credential anyway. It asks
 * once per connection. A connection that the table does not list is rejected.
 */
export const makePeerGuard = (ownUserId: number): ((socket: Socket) => Rejection | null) => {
  const known = new WeakMap<Socket, Rejection | null>();
  return (socket) => {
    const earlier = known.get(socket);
    if (earlier !== undefined) return earlier;
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
  hint: "Start your own proxy, or ask that user to start it with --allow-other-users and --token-file.",
};
