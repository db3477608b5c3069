import { constants } from "node:os";

/** Tries to take an exclusive lock on an open file, without waiting. `busy`: another open file holds it. */
export type TryFlock = (fd: number) => "taken" | "busy" | "unsupported";

/** What the C library offers and Node does not. */
export interface Libc {
  /** flock(2). */
  readonly tryFlock: TryFlock;
  /** The user id of the program at the other end of a Unix socket; `undefined` if it cannot be determined. */
  readonly peerUserOf: (fd: number) => number | undefined;
}

type Call = (...args: ReadonlyArray<number | Uint8Array | Uint32Array>) => unknown;

/** The functions themselves, as koffi or Bun calls them. */
interface Functions {
  readonly flock: Call;
  /** `getsockopt` on Linux, `getpeereid` on macOS. */
  readonly peer: Call;
  readonly errno: () => number;
}

const LOCK_EX = 2;
const LOCK_NB = 4;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

const isMacOS = process.platform === "darwin";

const { EINVAL, ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP } = constants.errno;
const unsupportedCodes: ReadonlySet<number> = new Set([
  EINVAL,
  ENOLCK,
  ENOSYS,
  ENOTSUP,
  EOPNOTSUPP,
]);

const withKoffi = async (): Promise<Functions> => {
  const { default: koffi } = await import("koffi");
  const libc = koffi.load(null);
  return {
    flock: libc.func("int flock(int fd, int operation)"),
    peer: isMacOS
      ? libc.func("int getpeereid(int fd, void *uid, void *gid)")
      : libc.func("int getsockopt(int fd, int level, int name, void *value, void *length)"),
    errno: () => koffi.errno(),
  };
};

/** The part of `bun:ffi` that is used. */
interface BunFfi {
  readonly dlopen: (
    name: string,
    functions: Readonly<
      Record<string, { readonly args: readonly string[]; readonly returns: string }>
    >,
  ) => { readonly symbols: Readonly<Record<string, Call>> };
  readonly read: { readonly i32: (pointer: unknown, offset: number) => number };
}

const isBunFfi = (value: unknown): value is BunFfi =>
  typeof value === "object" && value !== null && "dlopen" in value && "read" in value;

const libraries = isMacOS
  ? ["libSystem.B.dylib"]
  : ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

/** Bun calls the C library itself. An import of `bun:ffi` would stop the bundlers of other programs. */
const withBun = (): Functions => {
  const ffi: unknown = process.getBuiltinModule("bun:ffi");
  if (!isBunFfi(ffi)) throw new Error("Bun without bun:ffi");
  const peer = isMacOS ? "getpeereid" : "getsockopt";
  const location = isMacOS ? "__error" : "__errno_location";
  const functions = {
    flock: { args: ["i32", "i32"], returns: "i32" },
    [peer]: {
      args: isMacOS ? ["i32", "ptr", "ptr"] : ["i32", "i32", "i32", "ptr", "ptr"],
      returns: "i32",
    },
    [location]: { args: [], returns: "ptr" },
  };
  for (const library of libraries) {
    const symbols = opened(() => ffi.dlopen(library, functions).symbols);
    const [flock, call, errno] = [symbols?.["flock"], symbols?.[peer], symbols?.[location]];
    if (flock !== undefined && call !== undefined && errno !== undefined)
      return { flock, peer: call, errno: () => ffi.read.i32(errno(), 0) };
  }
  throw new Error("no C library");
};

const opened = <A>(open: () => A): A | undefined => {
  try {
    return open();
  } catch {
    return undefined; // this system has another C library
  }
};

const load = async (): Promise<Libc | undefined> => {
  if (process.platform === "win32") return undefined;
  try {
    const functions = process.versions["bun"] === undefined ? await withKoffi() : withBun();
    return { tryFlock: tryFlockWith(functions), peerUserOf: peerUserWith(functions) };
  } catch {
    return undefined; // koffi is not installed, or has no binary for this platform
  }
};

const tryFlockWith =
  ({ errno, flock }: Functions): TryFlock =>
  (fd) => {
    if (flock(fd, LOCK_EX | LOCK_NB) === 0) return "taken";
    // Any other code counts as busy: the caller waits, and then fails instead of continuing without the lock.
    return unsupportedCodes.has(errno()) ? "unsupported" : "busy";
  };

/** Linux answers with `struct ucred`: process, user and group, 32 bits each. */
const peerUserWith =
  ({ peer }: Functions): Libc["peerUserOf"] =>
  (fd) => {
    const answer = new Uint32Array(3);
    if (isMacOS) return peer(fd, answer, new Uint32Array(1)) === 0 ? answer[0] : undefined;
    const length = new Uint32Array([answer.byteLength]);
    return peer(fd, SOL_SOCKET, SO_PEERCRED, answer, length) === 0 ? answer[1] : undefined;
  };

/** Loads the C library's functions: through Bun where the program runs on Bun, else through the optional package koffi. */
export const libc: Promise<Libc | undefined> = load();
