import { constants, type Stats } from "node:fs";
import { access, readlink, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";
import { StoreUnwritable } from "../../errors/store.ts";
import { lstatIfPresent } from "./stats.ts";
import { systemCodeOf } from "./system-error.ts";
import { assertLinksTrusted } from "./trust.ts";

/** What a path leads to, symbolic links followed to the end. */
export interface AuthFileTarget {
  /** Absolute. The file itself may be missing; its folder is not checked either. */
  readonly path: string;
  /** Whether the path that was asked for is a symbolic link. */
  readonly isLinked: boolean;
  /** User ids that the links on the way belong to. */
  readonly linkOwners: ReadonlyArray<number>;
  /** Of the file; absent where it is missing. */
  readonly stats?: Stats;
}

/** As in Linux. */
const MAX_LINKS = 40;

export type StoreOperation = StoreUnwritable["operation"];

/**
 * Follows links as the system would, also where the last one leads to a file that is missing. Throws `StoreUnwritable`
 * for a loop, and for links that root should not follow.
 */
export const resolveTarget = async (
  path: string,
  operation: StoreOperation,
): Promise<AuthFileTarget> => {
  const target = await followLinks(path, operation);
  await assertLinksTrusted(target, operation);
  return target;
};

const followLinks = async (path: string, operation: StoreOperation): Promise<AuthFileTarget> => {
  let current = path;
  const linkOwners: Array<number> = [];
  while (linkOwners.length <= MAX_LINKS) {
    const stats = await lstatIfPresent(current);
    if (stats?.isSymbolicLink() !== true) {
      const isLinked = linkOwners.length > 0;
      const target = { path: await inRealFolder(current), isLinked, linkOwners };
      return stats === undefined ? target : { ...target, stats };
    }
    linkOwners.push(stats.uid);
    current = await inRealFolder(await whereItPoints(current));
  }
  throw new StoreUnwritable({
    where: path,
    operation,
    reason: "it is a loop of symbolic links",
    systemCode: "ELOOP",
  });
};

/** Not normalised: the system goes through a linked folder before it goes up from there, so `..` must not be cut off. */
const whereItPoints = async (link: string): Promise<string> => {
  const pointer = await readlink(link);
  return isAbsolute(pointer) ? pointer : `${await realpath(dirname(link))}/${pointer}`;
};

/** One name for one file, so that `<target>.lock` is the same whatever way led there. */
const inRealFolder = async (path: string): Promise<string> => {
  try {
    return join(await realpath(dirname(path)), basename(path));
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return path;
    throw error;
  }
};

/**
 * Throws `StoreUnwritable` where a file must not be replaced: a rename would silently cut a hard link, or override
 * somebody's wish that the file stay as it is.
 */
export const assertReplaceable = async (
  target: AuthFileTarget,
  operation: StoreOperation,
): Promise<void> => {
  const refuse = (reason: string, systemCode?: string): never => {
    const error = { where: target.path, operation, reason };
    throw new StoreUnwritable(systemCode === undefined ? error : { ...error, systemCode });
  };
  const { stats } = target;
  if (stats === undefined) return;
  if (stats.isDirectory()) refuse("it is a folder");
  if (!stats.isFile()) refuse("it is not a regular file");
  if (stats.nlink > 1)
    refuse("it has another name (a hard link), which would keep the old content");
  if (operation === "remove") return;
  // Root may write to anything, so the mode is asked as well.
  if ((stats.mode & 0o200) === 0) refuse("it is read-only", "EACCES");
  await access(target.path, constants.W_OK).catch(() => refuse("it is read-only", "EACCES"));
};
