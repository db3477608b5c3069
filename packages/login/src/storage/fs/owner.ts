import { fchownSync, fstatSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Who a file belongs to. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whether the system lets this process do everything. Never on Windows. */
export const isRoot = (): boolean => process.geteuid?.() === 0;

/** Whether this process is root and others may put things into the folder, which root must not stumble over. */
export const isFolderOfOthers = (folder: string): boolean => {
  if (!isRoot()) return false;
  const { gid, mode, uid } = statSync(folder);
  const mayOthersWrite = (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0);
  return uid !== 0 || mayOthersWrite;
};

/**
 * Who should own a new file, where that is not simply this user: root may work in another user's folder (`sudo`), and a
 * file of root's there would lock its owner out of the sign-in.
 */
export const rightfulOwner = (path: string): Owner | undefined => {
  if (!isRoot()) return undefined;
  const { uid, gid } = statSync(dirname(path));
  return uid === 0 ? undefined : { uid, gid };
};

/**
 * Gives a file to the owner of its folder, where root has made it. Only ever a file that this process has just created
 * with `O_EXCL`: one that was there before may be anybody's, by a link.
 */
export const giveToFolderOwner = (created: number, path: string): void => {
  const owner = rightfulOwner(path);
  if (owner !== undefined && fstatSync(created).uid === 0)
    fchownSync(created, owner.uid, owner.gid);
};
