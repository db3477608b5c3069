/** Tries to take an exclusive lock on an open file, without waiting. `busy`: another open file holds it. */
export type TryFlock = (fd: number) => "taken" | "busy" | "unsupported";

const LOCK_EX = 2;
const LOCK_NB = 4;

const load = async (): Promise<TryFlock | undefined> => {
  if (process.platform === "win32") return undefined;
  try {
    const { default: koffi } = await import("koffi");
    const flock = koffi.load(null).func("int flock(int fd, int operation)");
    const { EAGAIN, EWOULDBLOCK } = koffi.os.errno;
    return (fd) => {
      const answer: unknown = flock(fd, LOCK_EX | LOCK_NB);
      if (answer === 0) return "taken";
      const errno = koffi.errno();
      return errno === EAGAIN || errno === EWOULDBLOCK ? "busy" : "unsupported";
    };
  } catch {
    return undefined; // not installed, or no binary for this platform
  }
};

/** flock(2) of the C library, which Node does not offer; `undefined` if it cannot be reached. */
export const loading: Promise<TryFlock | undefined> = load();
