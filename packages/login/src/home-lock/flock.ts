import { closeSync, constants, openSync } from "node:fs";
import { giveToFolderOwner } from "../auth-file/owner.ts";
import { systemCodeOf } from "../auth-file/system-error.ts";

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

/** Opens a lock file, making it where it is missing. It stays, empty, as Codex leaves it. */
export const openLockFile = (path: string, mode: number): number => {
  try {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, mode);
    giveToFolderOwner(fd, path);
    return fd;
  } catch (error) {
    if (systemCodeOf(error) !== "EACCES") throw error;
    return openSync(path, constants.O_RDONLY); // another user's: enough for flock
  }
};

/** Closing is what ends a flock; a process that dies closes everything. */
export const closeLockFile = (fd: number): void => closeSync(fd);
