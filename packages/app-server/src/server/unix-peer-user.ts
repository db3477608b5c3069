import type { Socket } from "node:net";

/** Returns the user id of the program at the other end of a Unix socket; `undefined` if it cannot be determined. */
export type UnixPeerUser = (socket: Socket) => number | undefined;

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** `struct ucred`: process, user and group, 32 bits each. */
const UCRED_BYTES = 12;

/**
 * Loads the function that asks the kernel who has connected: `SO_PEERCRED` on Linux, `getpeereid` on macOS. Node has
 * neither; the optional package koffi calls them. Without it, the permissions of the socket alone keep other users out.
 */
export const loadUnixPeerUser = async (): Promise<UnixPeerUser> => {
  try {
    const { default: koffi } = await import("koffi");
    const libc = koffi.load(null);
    if (process.platform === "linux") {
      const getsockopt = libc.func(
        "int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)",
      );
      return (socket) => {
        const credentials = Buffer.alloc(UCRED_BYTES);
        const fd = descriptorOf(socket);
        const answer: unknown = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, [UCRED_BYTES]);
        return answer === 0 ? credentials.readUInt32LE(4) : undefined;
      };
    }
    if (process.platform === "darwin") {
      const getpeereid = libc.func(
        "int getpeereid(int fd, _Out_ uint32_t *uid, _Out_ uint32_t *gid)",
      );
      return (socket) => {
        const user: [number | undefined] = [undefined];
        const answer: unknown = getpeereid(descriptorOf(socket), user, [undefined]);
        return answer === 0 ? user[0] : undefined;
      };
    }
  } catch {
    // not installed, or no binary for this platform
  }
  return () => undefined;
};

const descriptorOf = (socket: Socket): number => {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null && Reflect.get(handle, "fd");
  return typeof fd === "number" ? fd : -1;
};
