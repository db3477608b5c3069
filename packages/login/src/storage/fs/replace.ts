import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readdir, rename, rm, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { quoteForShell } from "../../errors/place.ts";
import { StoreUnwritable } from "../../errors/store.ts";
import { giveToFolderOwner, isRoot } from "../privilege.ts";
import { onceNotInUse } from "./in-use.ts";
import { systemCodeOf } from "./system-error.ts";
import type { AuthFileTarget } from "./target.ts";

// Written here instead of using write-file-atomic: that one does not sync the folder (after a power cut the old name
// may be back), opens its temporary file without O_EXCL, and does not remove the temporary files of killed processes.

type Target = Pick<AuthFileTarget, "path" | "stats">;

/**
 * Replaces a file, or creates it: readers see the whole old content or the whole new one, and after it returns, a power
 * failure does not undo the change. The new file has mode 0600, on Windows an access list for its owner; if root replaces
 * another user's file, that user stays its owner. Throws the system's error, with the old content unchanged and the
 * temporary file removed. Throws `StoreUnwritable` if the file was replaced and its folder could not be synced.
 */
export const replaceFile = async (target: Target, content: string | Uint8Array): Promise<void> => {
  const temporary = temporaryPath(target.path);
  try {
    await writeDurably(temporary, content, target);
    await onceNotInUse(() => rename(temporary, target.path));
  } catch (error) {
    await onceNotInUse(() => rm(temporary, { force: true })).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(target.path)).catch(() => {
    throw new StoreUnwritable({
      where: target.path,
      operation: "save",
      reason:
        "the file was replaced, but a power failure may undo it, because its folder could not be synced",
    });
  });
};

const writeDurably = async (
  path: string,
  content: string | Uint8Array,
  target: Target,
): Promise<void> => {
  // Does not follow a link that another process put there, and is not readable by others at any time.
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  const flags = O_WRONLY | O_CREAT | O_EXCL | (constants.O_NOFOLLOW ?? 0);
  const isCreated = process.platform === "win32" && (await isCreatedPrivate(path));
  const file = await open(path, isCreated ? O_WRONLY : flags, 0o600);
  try {
    await keepOwner(file, target);
    await file.writeFile(content, "utf8");
    await file.sync();
  } finally {
    await file.close();
  }
};

/** On Windows, modes mean nothing. Without koffi, the file inherits the access list of its folder. */
const isCreatedPrivate = async (path: string): Promise<boolean> => {
  const { createPrivateFile, loadWindowsFunctions } = await import("../windows/functions.ts");
  const windows = await loadWindowsFunctions();
  if (windows !== undefined) createPrivateFile(windows, path);
  return windows !== undefined;
};

/** If root replaces another user's file, the new file keeps its owner. */
const keepOwner = async (file: FileHandle, { path, stats }: Target): Promise<void> => {
  if (!isRoot()) return;
  if (stats === undefined) giveToFolderOwner(file.fd, path);
  else await file.chown(stats.uid, stats.gid);
};

/** The error codes of file systems that cannot sync folders, such as some network file systems. */
const cannotSync: ReadonlySet<string | undefined> = new Set(["EINVAL", "ENOTSUP", "ENOSYS"]);

/** Makes renames and removals in a folder durable. Windows cannot open folders, and does not need this. */
export const syncFolder = async (path: string): Promise<void> => {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } catch (error) {
    if (!cannotSync.has(systemCodeOf(error))) throw error;
  } finally {
    await folder.close();
  }
};

/** About the size of a sign-in, so that a full disk is detected; the size of the present file is added. */
export const PROBE_BYTES = 16 * 1024;

/**
 * Does what `replaceFile` would do, except for the rename over the target. Throws what the system throws, and
 * `StoreUnwritable` for a folder in which no name can be removed: there it leaves an empty file.
 */
export const probeFolder = async (target: Target): Promise<void> => {
  // One name for each process, so that an append-only folder does not fill up with probes.
  const probe = temporaryPath(target.path, "0".repeat(16));
  await removeProbe(probe, target.path);
  try {
    await writeDurably(probe, " ".repeat(PROBE_BYTES + (target.stats?.size ?? 0)), target);
  } finally {
    await removeProbe(probe, target.path);
  }
};

const removeProbe = async (probe: string, where: string): Promise<void> => {
  try {
    await onceNotInUse(() => unlink(probe));
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return;
    throw new StoreUnwritable({
      where,
      operation: "save",
      reason: "files in its folder cannot be replaced or removed (append-only)",
      systemCode: systemCodeOf(error) ?? "EPERM",
      fix: `sudo chattr -a ${quoteForShell(dirname(where))}`,
    });
  }
};

// Temporary files are beside their target, since a rename is atomic within one file system only. Their names show which
// process writes them.
const suffix = /^-(\d{1,10})-[0-9a-f]{16}\.tmp$/;
const prefixOf = (target: string): string => `.${basename(target)}`;

const temporaryPath = (target: string, unique = randomBytes(8).toString("hex")): string =>
  join(dirname(target), `${prefixOf(target)}-${process.pid}-${unique}.tmp`);

/**
 * Age at which a temporary file counts as abandoned although its pid is in use: pids are reused, and no write takes
 * this long.
 */
const ABANDONED_AFTER_MS = 10 * 60 * 1000;

/** Removes temporary files of dead writers, which contain secrets. If that fails, the next write tries again. */
export const sweepTemporaries = async (target: string): Promise<void> => {
  const folder = dirname(target);
  const names = await readdir(folder).catch((): Array<string> => []);
  for (const name of names) {
    if (!name.startsWith(prefixOf(target))) continue;
    const match = suffix.exec(name.slice(prefixOf(target).length));
    if (match === null) continue;
    const path = join(folder, name);
    if (isAlive(Number(match[1])) && !(await isAbandoned(path))) continue;
    await rm(path, { force: true }).catch(() => undefined);
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) !== "ESRCH";
  }
};

const isAbandoned = async (path: string): Promise<boolean> => {
  try {
    return Date.now() - (await stat(path)).mtimeMs > ABANDONED_AFTER_MS;
  } catch {
    return false;
  }
};
