import { constants, readFileSync, type Stats } from "node:fs";
import { lstat, open, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";
import { quoteForShell } from "../../errors/place.ts";
import { StoreUnwritable } from "../../errors/store.ts";
import { controlOf, rootAccessProblem, isRoot, type PathControl, pinFolder } from "../privilege.ts";
import { onceNotInUse } from "./in-use.ts";
import { systemCodeOf } from "./system-error.ts";

export type StoreOperation = StoreUnwritable["operation"];

/** What a path leads to, symbolic links followed to the end. */
export interface AuthFileTarget {
  /** Absolute. The file may be missing, and its folder as well. */
  readonly path: string;
  /** Whether the path that was asked for is a symbolic link. */
  readonly isLinked: boolean;
  /** Of the file; absent if it is missing. */
  readonly stats?: Stats;
  readonly control: PathControl;
}

/** As in Linux. */
const MAX_LINKS = 40;

/** Of what a path names, a link itself included; `undefined` if there is nothing. */
export const lstatIfPresent = (path: string): Promise<Stats | undefined> => ifPresent(lstat(path));

const ifPresent = async (looking: Promise<Stats>): Promise<Stats | undefined> => {
  try {
    return await looking;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
};

/**
 * Follows links as the operating system does, also if the last one leads to a file that is missing. Throws
 * `StoreUnwritable` for a loop, and if root must not write where the path leads.
 */
export const resolveTarget = async (
  path: string,
  operation: StoreOperation,
): Promise<AuthFileTarget> => {
  const target = { ...(await followLinks(path, operation)), control: controlOf(path) };
  await assertRootMayUse(target, operation);
  return target;
};

const followLinks = async (
  path: string,
  operation: StoreOperation,
): Promise<Omit<AuthFileTarget, "control">> => {
  let current = path;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const stats = await lstatIfPresent(current);
    if (stats?.isSymbolicLink() !== true) {
      const target = { path: await inRealFolder(current), isLinked: links > 0 };
      return stats === undefined ? target : { ...target, stats };
    }
    current = await inRealFolder(await pointerOf(current));
  }
  const reason = "it is a loop of symbolic links";
  throw new StoreUnwritable({ where: path, operation, reason, systemCode: "ELOOP" });
};

/** Not normalised: the system follows a linked folder before it resolves `..`, so `..` must stay in the path. */
const pointerOf = async (link: string): Promise<string> => {
  const pointer = await readlink(link);
  return isAbsolute(pointer) ? pointer : `${await realpath(dirname(link))}/${pointer}`;
};

/**
 * Returns the path with the links of its folder resolved, so that `<target>.lock` is the same for every path to a file.
 * Unchanged if the path goes up from a folder that does not exist.
 */
const inRealFolder = async (path: string): Promise<string> => {
  const folder = await realFolder(dirname(path));
  return folder === undefined ? path : join(folder, basename(path));
};

/**
 * A folder with links resolved as far as it exists; the rest is created later. `undefined` if the path goes up from a
 * folder that does not exist.
 */
const realFolder = async (folder: string): Promise<string | undefined> => {
  try {
    return await realpath(folder);
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT" || dirname(folder) === folder) throw error;
    if (basename(folder) === "..") return undefined;
    const above = await realFolder(dirname(folder));
    return above === undefined ? undefined : join(above, basename(folder));
  }
};

const assertRootMayUse = async (
  { control, path, stats }: AuthFileTarget,
  operation: StoreOperation,
): Promise<void> => {
  if (!isRoot()) return;
  let found = stats;
  for (let folder = dirname(path); found === undefined; folder = dirname(folder))
    found = await ifPresent(stat(folder));
  const reason = rootAccessProblem(control, found, "write");
  if (reason !== undefined) throw new StoreUnwritable({ where: path, operation, reason });
};

/**
 * Runs `use` with the target. While root works in another user's home, the target's folder is held open, and on Linux the
 * path leads through it, so that the user cannot redirect the operation by replacing the folder. Errors name the target's
 * own path.
 */
export const inHeldFolder = async <A>(
  target: AuthFileTarget,
  operation: StoreOperation,
  use: (held: AuthFileTarget) => Promise<A>,
): Promise<A> => {
  if (!isRoot()) return use(target);
  const where = target.path;
  const folder = pinFolder(
    where,
    target.control,
    (reason) => new StoreUnwritable({ where, operation, reason }),
  );
  try {
    const path = folder.path(basename(where));
    const stats = await lstatIfPresent(path);
    const { control, isLinked } = target;
    const held = { path, isLinked, control, ...(stats === undefined ? {} : { stats }) };
    await assertRootMayUse(held, operation);
    return await use(held);
  } catch (error) {
    if (!(error instanceof StoreUnwritable)) throw error;
    const { reason, systemCode } = error;
    const fix = error.fix?.replaceAll(dirname(folder.path("x")), dirname(where));
    throw new StoreUnwritable({
      where,
      operation,
      reason,
      ...(systemCode === undefined ? {} : { systemCode }),
      ...(fix === undefined ? {} : { fix }),
    });
  } finally {
    folder.close();
  }
};

/**
 * Throws `StoreUnwritable` if a file must not or cannot be replaced: a rename would cut a hard link, replace a file
 * that was made read-only, or fail in a folder where only the owner may replace a file.
 */
export const assertReplaceable = async (target: AuthFileTarget): Promise<void> => {
  const { path, stats } = target;
  if (stats === undefined) return;
  assertRegularFile(target, "save");
  const refuse = (reason: string, more: { systemCode?: string; fix?: string } = {}): never => {
    throw new StoreUnwritable({ where: path, operation: "save", reason, ...more });
  };
  if (stats.nlink > 1)
    refuse("it has another name (a hard link), which would keep the old content");
  const readOnly = { systemCode: "EACCES", fix: `chmod 600 ${quoteForShell(path)}` };
  // Root may write to anything, so the mode is checked as well.
  if ((stats.mode & 0o200) === 0) refuse("it is read-only", readOnly);
  const folder = await stat(dirname(path));
  const euid = process.geteuid?.() ?? 0;
  const isSticky = (folder.mode & 0o1000) !== 0 && euid !== 0;
  if (isSticky && folder.uid !== euid && stats.uid !== euid)
    refuse("its folder is sticky, so only the owner of the file can replace it", {
      systemCode: "EPERM",
    });
  // Opens the file instead of checking its mode: this also fails for an append-only file.
  const flags = constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0);
  const file = await onceNotInUse(() => open(path, flags)).catch((error: unknown) => {
    const systemCode = systemCodeOf(error) ?? "EACCES";
    return refuse(systemCode === "EBUSY" ? "another program has it open" : "it is read-only", {
      systemCode,
    });
  });
  await file.close();
};

/** Throws `StoreUnwritable` for a folder, a FIFO and anything else that is not a regular file. */
export const assertRegularFile = (
  { path, stats }: AuthFileTarget,
  operation: StoreOperation,
): void => {
  if (stats === undefined || stats.isFile()) return;
  const reason = stats.isDirectory() ? "it is a folder" : "it is not a regular file";
  throw new StoreUnwritable({ where: path, operation, reason });
};

/**
 * Whether a file is a mount point, as in a container into which a single file is mounted. It cannot be replaced or
 * removed.
 */
export const isMountPoint = (path: string): boolean => {
  if (process.platform !== "linux") return false;
  let table: string;
  try {
    table = readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return false; // without /proc the rename finds out
  }
  return table.split("\n").some((line) => unescapeMount(line.split(" ")[4] ?? "") === path);
};

const unescapeMount = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
