import type { Socket } from "node:net";

/** Returns the user id of the program at the other end of a Unix socket; `undefined` if it cannot be determined. */
export type UnixPeerUser = (socket: Socket) => number | undefined;

/**
 * Loads the function that asks the kernel who has connected. Node cannot ask; the C library can, through Bun or the optional
 * package koffi. Without either, the permissions of the socket alone keep other users out.
 */
export const loadUnixPeerUser = async (): Promise<UnixPeerUser> => {
  const libc = await (await import("@agent-auth/login/storage/libc")).libc;
  return (socket) => libc?.peerUserOf(descriptorOf(socket));
};

const descriptorOf = (socket: Socket): number => {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null && Reflect.get(handle, "fd");
  return typeof fd === "number" ? fd : -1;
};
