import { closeSync, constants, fchmodSync, fstatSync, openSync } from "node:fs";
import { basename } from "node:path";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { type HomeLockBusy, HomeLockFailed } from "../../errors/store.ts";
import { giveToFolderOwner, type PathControl, pinFolder } from "../privilege.ts";
import { systemCodeOf } from "../fs/system-error.ts";
import type { AuthFileTarget } from "../fs/target.ts";
import type { TryFlock } from "../libc.ts";
import { lockFailed } from "./lock-file.ts";
import { waitUntil } from "./wait.ts";

// flock(2) is what Codex takes, and LockFileEx on Windows. POSIX and OFD locks do not conflict with flock. koffi, which is
// optional, calls them through a prebuilt binary; without it programs that use agent-auth still exclude each other, but
// not Codex.

/** Loads the C library's flock at the first use. */
export const loadFlock = async (): Promise<TryFlock | undefined> =>
  (await (await import("../libc.ts")).libc)?.tryFlock;

/** A lock that ends when the number that `open` returns is closed, and with the process. */
interface FileLock {
  /** Creates the file if it is missing. */
  readonly open: (path: string, control: PathControl) => number;
  readonly tryLock: TryFlock;
  readonly close: (opened: number) => void;
}

/** Returns the lock that Codex takes on this platform; `undefined` if koffi is missing. */
export const loadFileLock = async (
  platform: NodeJS.Platform = process.platform,
): Promise<FileLock | undefined> => {
  if (platform === "win32") {
    const windows = await (await import("../windows/functions.ts")).loadWindowsFunctions();
    return windows && { open: windows.openToLock, tryLock: windows.tryLock, close: windows.close };
  }
  const tryLock = await loadFlock();
  return tryLock && { open: openLockFile, tryLock, close: closeSync };
};

/**
 * Takes Codex's lock on a file, which is created 0600 if it is missing, until the scope closes. False, without a lock, if
 * the lock cannot be called or the file system does not support it.
 */
export const acquireFlock = Effect.fnUntraced(function* ({
  control,
  maxWaitMs,
  path,
}: {
  /** Its folder is canonical. */
  readonly path: string;
  readonly control: PathControl;
  readonly maxWaitMs: number;
}): Effect.fn.Return<boolean, HomeLockBusy | HomeLockFailed, Scope.Scope> {
  const fileLock = yield* Effect.promise(() => loadFileLock());
  if (fileLock === undefined) return false;
  // Registered before the lock is taken, so that an interruption in between cannot leave it taken: closing releases it.
  const opened = yield* Effect.acquireRelease(
    Effect.try({ try: () => fileLock.open(path, control), catch: lockFailed(path) }),
    (opened) => Effect.sync(() => fileLock.close(opened)),
  );
  let isSupported = true;
  const attempt = Effect.sync(() => {
    const answer = fileLock.tryLock(opened);
    isSupported = answer !== "unsupported";
    return answer !== "busy";
  });
  yield* waitUntil(attempt, { path, maxWaitMs, maxPauseMs: 10 });
  return isSupported;
});

/** Codex holds the lock beside the file for one write, and waits this long for it. */
const TARGET_LOCK_MAX_WAIT_MS = 5_000;

/** Takes Codex's inner lock, `<target>.lock` beside the file that is written, until the scope closes. */
export const acquireTargetLock = ({ control, path }: Pick<AuthFileTarget, "control" | "path">) =>
  Effect.asVoid(
    acquireFlock({ path: `${path}.lock`, control, maxWaitMs: TARGET_LOCK_MAX_WAIT_MS }),
  );

/** How often the file may appear or disappear between two checks before that is a failure. */
const MAX_ATTEMPTS = 10;

// Links are not followed: in another user's folder they may lead anywhere. Without O_NONBLOCK, opening a FIFO may wait.
const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = constants;
const noLinkNoWait =
  (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** Lock files stay, empty, as Codex leaves them. One that exists keeps its owner. */
const openLockFile = (path: string, control: PathControl): number => {
  const folder = pinFolder(path, control, (reason) => new HomeLockFailed({ path, reason }));
  try {
    const held = folder.path(basename(path));
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const fd = openExisting(held) ?? create(held);
      if (fd !== undefined) return fd;
    }
    throw new HomeLockFailed({ path, reason: "another program creates and removes it" });
  } finally {
    folder.close();
  }
};

const openExisting = (path: string): number | undefined => {
  const fd = unlessCode("ENOENT", () => openForFlock(path));
  if (fd === undefined) return undefined;
  if (fstatSync(fd).isFile()) {
    narrow(fd);
    return fd;
  }
  closeSync(fd);
  throw new Error("not a regular file"); // `lockFailed` finds out more
};

const openForFlock = (path: string): number => {
  try {
    return openSync(path, O_RDWR | noLinkNoWait);
  } catch (error) {
    if (systemCodeOf(error) !== "EACCES") throw error;
    return openSync(path, O_RDONLY | noLinkNoWait); // another user's: enough for flock
  }
};

/** Codex creates `auth.lock` 0666 less the umask. A user who can open a lock file can hold it and block all others. */
const narrow = (fd: number): void => {
  const { mode, uid } = fstatSync(fd);
  if (uid !== process.geteuid?.() || (mode & 0o077) === 0) return;
  try {
    fchmodSync(fd, 0o600);
  } catch {
    // On a read-only or foreign file system the mode stays; the lock works anyway.
  }
};

const create = (path: string): number | undefined => {
  const fd = unlessCode("EEXIST", () =>
    openSync(path, O_RDWR | O_CREAT | O_EXCL | noLinkNoWait, 0o600),
  );
  if (fd !== undefined) giveToFolderOwner(fd, path);
  return fd;
};

const unlessCode = (code: string, open: () => number): number | undefined => {
  try {
    return open();
  } catch (error) {
    if (systemCodeOf(error) !== code) throw error;
    return undefined;
  }
};
