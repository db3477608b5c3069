import {
  closeSync,
  constants,
  existsSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import * as Effect from "effect/Effect";
import { OwnerNotTrusted } from "../errors/privilege.ts";
import { StoreUnwritable } from "../errors/store.ts";

// The rule for root in a folder of another user (sudo, a container with a mounted home): nothing is followed, run or
// written that this user could not have read or written. No permission check of the operating system stops root, and
// that user may put links and other folders in its way.

/**
 * Whether no permission check of the operating system applies to this process: it is root. Never on Windows.
 *
 * @example
 * ```ts
 * import { isRoot } from "@agent-auth/login/storage/privilege";
 *
 * if (isRoot()) console.warn("files that are created here may belong to root");
 * ```
 */
export const isRoot = (): boolean => process.geteuid?.() === 0;

/** Who controls a path. Empty unless this process is root. */
export interface PathControl {
  /** Users other than root who own a folder or a link on the way. They can make the path lead elsewhere. */
  readonly uids: ReadonlyArray<number>;
  /** Whether one of them owns a link on the way, or a folder that a link is in. */
  readonly hasLink: boolean;
  /** The path with links resolved, as far as it exists. */
  readonly real: string;
}

const MAX_LINKS = 40;

/**
 * Walks a path as the operating system does, and notes who owns the folders and links on the way.
 *
 * @example
 * ```ts
 * import { controlOf } from "@agent-auth/login/storage/privilege";
 *
 * const { hasLink, real, uids } = controlOf("/home/ada/.codex/auth.json");
 * ```
 */
export const controlOf = (path: string): PathControl => {
  if (!isRoot()) return { uids: [], hasLink: false, real: path };
  const uids = new Set<number>();
  let hasLink = false;
  let links = 0;
  let current = "/";
  const pending = path.split("/");
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      current = dirname(current);
      continue;
    }
    const next = join(current, name);
    const stats = lstatSync(next, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink() === true && links++ < MAX_LINKS) {
      if (stats.uid !== 0) uids.add(stats.uid);
      hasLink ||= uids.size > 0; // also of root's own link, which the owner of its folder may have moved there
      const target = readlinkSync(next);
      if (isAbsolute(target)) current = "/";
      pending.unshift(...target.split("/"));
      continue;
    }
    if (stats?.isDirectory() === true && stats.uid !== 0) uids.add(stats.uid);
    current = next;
  }
  return { uids: [...uids], hasLink, real: current };
};

/**
 * Why root must not read or write what a path leads to; `undefined` if it may. `stats` are those of the file or folder
 * itself, or of the folder in which a missing file will be. What root owns and no link of another user leads to was put
 * there by root.
 *
 * @example
 * ```ts
 * import { controlOf, rootAccessProblem } from "@agent-auth/login/storage/privilege";
 * import { statSync } from "node:fs";
 *
 * const path = process.execPath;
 * const reason = rootAccessProblem(controlOf(path), statSync(path), "read");
 * if (reason !== undefined) throw new Error(reason);
 * ```
 */
export const rootAccessProblem = (
  control: PathControl,
  stats: Stats,
  access: "read" | "write",
): string | undefined => {
  const isOwnedByRoot =
    stats.uid === 0 && !control.hasLink && (stats.isDirectory() || stats.nlink === 1);
  if (isOwnedByRoot) return undefined;
  const stranger = control.uids.find((uid) => uid !== stats.uid);
  if (stranger === undefined) return undefined;
  if (access === "read" && isReadableByAll(control.real, stats)) return undefined;
  return `this process is root, and user ${stranger}, who controls the path, may not ${access} what is there`;
};

const isReadableByAll = (path: string, stats: Stats): boolean => {
  if ((stats.mode & 0o004) === 0) return false;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
};

/**
 * The `rootAccessProblem` of an open file, asked again after it was opened, so that the name cannot be changed in between.
 *
 * @example
 * ```ts
 * import { rootAccessProblemOfOpenFile } from "@agent-auth/login/storage/privilege";
 * import { closeSync, fstatSync, openSync } from "node:fs";
 *
 * const path = process.execPath;
 * const fd = openSync(path, "r");
 * const reason = rootAccessProblemOfOpenFile(path, fd, fstatSync(fd)); // undefined: the file may be read
 * closeSync(fd);
 * ```
 */
export const rootAccessProblemOfOpenFile = (
  path: string,
  fd: number,
  stats: Stats,
): string | undefined => {
  if (!isRoot()) return undefined;
  // The walk takes as long as reading the file. Without a link on the way, root's own file needs none.
  if (stats.uid === 0 && stats.nlink === 1 && realPathOf(fd) === path) return undefined;
  const control = controlOf(path);
  const named = lstatSync(control.real, { throwIfNoEntry: false });
  if (named?.ino !== stats.ino || named.dev !== stats.dev)
    return "it was replaced while it was being opened";
  return rootAccessProblem(control, stats, "read");
};

const realPathOf = (fd: number): string | undefined => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined; // only Linux has it
  }
};

/**
 * Fails if another user controls what a file contains: then commands that the file names must not run. A file and its
 * folder may belong to the user of this process or to root. If this process is root, no other user may control its path
 * or be able to write there.
 *
 * @example
 * ```ts
 * import { assertOwnerTrusted } from "@agent-auth/login/storage/privilege";
 * import * as Effect from "effect/Effect";
 *
 * await Effect.runPromise(assertOwnerTrusted("/etc/passwd"));
 * ```
 */
export const assertOwnerTrusted = (path: string): Effect.Effect<void, OwnerNotTrusted> =>
  Effect.suspend(() => {
    const ownerUid = isRoot() ? foreignOwner(path) : strangerOf(path);
    if (ownerUid !== undefined) return Effect.fail(new OwnerNotTrusted({ path, ownerUid }));
    return isRoot() && mayOthersReplace(controlOf(path).real)
      ? Effect.fail(new OwnerNotTrusted({ path }))
      : Effect.void;
  });

/** How the kernel shows users that do not exist in a container's user namespace. */
const OVERFLOW_UID = 65_534;

/** A user other than this one and root who owns the file or its folder; for processes that are not root. */
const strangerOf = (path: string): number | undefined => {
  const own = process.geteuid?.();
  if (own === undefined || !existsSync(path)) return undefined;
  const real = realpathSync(path);
  const uids = [real, dirname(real)].map((one) => statSync(one).uid);
  return uids.find((uid) => uid !== own && uid !== 0 && uid !== OVERFLOW_UID);
};

/** Whether users other than root can write to a file, or replace it or a folder above it. */
const mayOthersReplace = (file: string): boolean => {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats !== undefined && mayOthersWrite(stats)) return true;
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const found = statSync(folder);
    const isSticky = (found.mode & 0o1000) !== 0;
    if (mayOthersWrite(found) && !isSticky) return true;
    if (folder === dirname(folder)) return false;
  }
};

const mayOthersWrite = ({ gid, mode }: Stats): boolean =>
  (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0);

/** Returns the user other than root who controls what a file or folder contains. */
const foreignOwner = (path: string): number | undefined => {
  if (!isRoot()) return undefined;
  const { real, uids } = controlOf(path);
  const owner = lstatSync(real, { throwIfNoEntry: false })?.uid ?? 0;
  return owner === 0 ? uids[0] : owner;
};

/**
 * Whether this process is root and others may put things into the folder.
 *
 * @example
 * ```ts
 * import { isFolderOfOthers } from "@agent-auth/login/storage/privilege";
 * import { tmpdir } from "node:os";
 *
 * console.log(isFolderOfOthers(tmpdir())); // true for root: every user can write there
 * ```
 */
export const isFolderOfOthers = (folder: string): boolean => {
  if (!isRoot()) return false;
  const stats = statSync(folder);
  return stats.uid !== 0 || mayOthersWrite(stats);
};

/**
 * Gives a file or folder to the owner of the folder that it is in, if root created it: it would lock that user out of
 * the sign-in. Only for what this process has just created: what was there before may be anything, by a link.
 *
 * @example
 * ```ts
 * import { giveToFolderOwner } from "@agent-auth/login/storage/privilege";
 * import { closeSync, mkdtempSync, openSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const path = join(mkdtempSync(join(tmpdir(), "codex-home-")), "auth.json");
 * const fd = openSync(path, "wx", 0o600);
 * giveToFolderOwner(fd, path);
 * closeSync(fd);
 * ```
 */
export const giveToFolderOwner = (created: number, path: string): void => {
  if (!isRoot()) return;
  const { gid, uid } = statSync(dirname(path));
  if (uid !== 0 && fstatSync(created).uid === 0) fchownSync(created, uid, gid);
};

/** Opens a folder, but no link to one. */
export const openFolderFlags =
  constants.O_RDONLY | (constants.O_DIRECTORY ?? 0) | (constants.O_NOFOLLOW ?? 0);

/**
 * Creates a folder (0700) and those above it. What root creates belongs to the owner of the folder above.
 *
 * @example
 * ```ts
 * import { createFolder } from "@agent-auth/login/storage/privilege";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * createFolder(join(mkdtempSync(join(tmpdir(), "home-")), ".codex", "accounts"));
 * ```
 */
export const createFolder = (path: string): void => {
  if (isRoot()) assertMayCreate(path);
  const firstCreated = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (firstCreated === undefined || !isRoot()) return;
  const created = [path];
  for (let outer = path; outer !== firstCreated && dirname(outer) !== outer;) {
    outer = dirname(outer);
    created.unshift(outer);
  }
  for (const folder of created) {
    const fd = openSync(folder, openFolderFlags);
    try {
      giveToFolderOwner(fd, folder);
    } finally {
      closeSync(fd);
    }
  }
};

const assertMayCreate = (path: string): void => {
  const control = controlOf(path);
  let found: Stats | undefined;
  for (let above = control.real; found === undefined; above = dirname(above))
    found = statSync(above, { throwIfNoEntry: false });
  const reason = rootAccessProblem(control, found, "write");
  if (reason !== undefined) throw new StoreUnwritable({ where: path, operation: "save", reason });
};

/** An open folder. It stays the same folder even if its path is changed to lead elsewhere. */
export interface PinnedFolder {
  /** The path of a file in the folder. */
  readonly path: (name: string) => string;
  readonly close: () => void;
}

/**
 * Opens the folder of a file (links resolved), so that work in it cannot be redirected. Only root needs that, and only
 * Linux offers it (`/proc/self/fd`); elsewhere the paths are the usual ones. Throws what `refuse` makes of a reason if
 * root must not write there.
 *
 * @example
 * ```ts
 * import { controlOf, pinFolder } from "@agent-auth/login/storage/privilege";
 * import { mkdtempSync, writeFileSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const file = join(mkdtempSync(join(tmpdir(), "codex-home-")), "auth.json");
 * const folder = pinFolder(file, controlOf(file), (reason) => new Error(reason));
 * writeFileSync(folder.path("auth.json"), "{}", { mode: 0o600 });
 * folder.close();
 * ```
 */
export const pinFolder = (
  file: string,
  control: PathControl,
  refuse: (reason: string) => Error,
): PinnedFolder => {
  const folder = dirname(file);
  if (!isRoot()) return { path: (name) => join(folder, name), close: () => undefined };
  const fd = openSync(folder, openFolderFlags);
  const close = () => closeSync(fd);
  try {
    const reason = rootAccessProblem(control, fstatSync(fd), "write");
    if (reason !== undefined) throw refuse(reason);
    const held = `/proc/self/fd/${fd}`;
    const hasProc = process.platform === "linux" && existsSync(held);
    if (hasProc && readlinkSync(held) !== folder) throw refuse("its folder has been replaced");
    const base = hasProc ? held : folder;
    return { path: (name) => `${base}/${name}`, close };
  } catch (error) {
    close();
    throw error;
  }
};
