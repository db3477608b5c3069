import { fchownSync, fstatSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Who a file belongs to. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Who should own a new file, where that is not simply this user: root may work in another user's folder (`sudo`), and a
 * file of root's there would lock its owner out of the sign-in.
 */
export const rightfulOwner = (path: string): Owner | undefined => {
  if (process.getuid?.() !== 0) return undefined;
  const { uid, gid } = statSync(dirname(path));
  return uid === 0 ? undefined : { uid, gid };
};

/** Gives an open file of root's to the owner of its folder, where they differ. */
export const giveToFolderOwner = (fd: number, path: string): void => {
  const owner = rightfulOwner(path);
  if (owner !== undefined && fstatSync(fd).uid === 0) fchownSync(fd, owner.uid, owner.gid);
};
