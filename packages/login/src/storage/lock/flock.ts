import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { giveToFolderOwner } from "../fs/owner.ts";
import { systemCodeOf } from "../fs/system-error.ts";
import { HomeLockFailed } from "../../errors/store.ts";

// flock(2), which Codex takes and Node does not offer. POSIX and OFD locks would not do: they ignore it. koffi calls
// the C library's through a prebuilt binary and is optional; without it our own processes still exclude each other
// (`floor.ts`), but not Codex. On Windows Codex locks with LockFileEx, which needs handles that Node does not give
// out: there, too, the floor is all there is.

/** Tries to take an exclusive lock; answers false where another open file holds it. */
export type TryFlock = (fd: number) => "taken" | "busy" | "unsupported";

const LOCK_EX = 2;
const LOCK_NB = 4;

let loading: Promise<TryFlock | undefined> | undefined;

/** Loads the C library's flock, once per process; `undefined` where it cannot be reached. */
export const loadFlock = (): Promise<TryFlock | undefined> => (loading ??= load());

const load = async (): Promise<TryFlock | undefined> => {
  if (process.platform === "win32") return undefined;
  try {
    const { default: koffi } = await import("koffi");
    const call = koffi.load(null).func("int flock(int fd, int operation)");
    const { EAGAIN, EWOULDBLOCK } = koffi.os.errno;
    return (fd) => {
      const answer: unknown = call(fd, LOCK_EX | LOCK_NB);
      if (answer === 0) return "taken";
      const errno = koffi.errno();
      return errno === EAGAIN || errno === EWOULDBLOCK ? "busy" : "unsupported";
    };
  } catch {
    return undefined; // not installed, or no binary for this platform
  }
};

/** How often a file may vanish or appear between two looks before it is a failure. */
const MAX_ATTEMPTS = 10;

/**
 * Opens a lock file, making it where it is missing. It stays, empty, as Codex leaves it. Never through a link, and one
 * that was there keeps its owner: in a folder of somebody else's, it may be anything.
 */
export const openLockFile = (path: string, mode: number): number => {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const fd = openExisting(path) ?? create(path, mode);
    if (fd !== undefined) return fd;
  }
  throw new HomeLockFailed({ path, reason: "it comes and goes" });
};

// Without O_NONBLOCK, a FIFO might be waited for. Windows knows none of these.
const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = constants;
const careful =
  (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

const openExisting = (path: string): number | undefined => {
  const fd = ifPossible("ENOENT", () => openForFlock(path));
  if (fd === undefined || fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new HomeLockFailed({ path, reason: "it is not a regular file" });
};

const openForFlock = (path: string): number => {
  try {
    return openSync(path, O_RDWR | careful);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === "ELOOP") throw new HomeLockFailed({ path, reason: "it is a symbolic link" });
    if (code !== "EACCES") throw error;
    return openSync(path, O_RDONLY | careful); // another user's: enough for flock
  }
};

const create = (path: string, mode: number): number | undefined => {
  const fd = ifPossible("EEXIST", () => openSync(path, O_RDWR | O_CREAT | O_EXCL | careful, mode));
  if (fd !== undefined) giveToFolderOwner(fd, path);
  return fd;
};

const ifPossible = (unless: string, open: () => number): number | undefined => {
  try {
    return open();
  } catch (error) {
    if (systemCodeOf(error) !== unless) throw error;
    return undefined;
  }
};

/** Closing is what ends a flock; a process that dies closes everything. */
export const closeLockFile = (fd: number): void => closeSync(fd);
