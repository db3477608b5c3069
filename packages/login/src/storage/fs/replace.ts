import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { StoreUnwritable } from "../../errors/store.ts";
import { isRoot, rightfulOwner } from "./owner.ts";
import { systemCodeOf } from "./system-error.ts";
import type { AuthFileTarget } from "./target.ts";
import { createTemporary, temporaryPath } from "./temporary.ts";

// Ours and not write-file-atomic's: that one does not sync the folder (after a power cut the old name may be back),
// opens its temporary file without O_EXCL, and knows nothing of what a killed predecessor left.

/**
 * Puts a new content in place of the file, or beside nothing where there is none: readers see the old content or the
 * new, whole, and after it returns a power cut does not undo it. Mode 0600; the owner stays. Throws what the system
 * throws, and then the old content is untouched and no temporary file is left.
 */
export const replaceFile = async (target: AuthFileTarget, content: string): Promise<void> => {
  const temporary = temporaryPath(target.path);
  try {
    await writeDurably(temporary, content, target);
    await rename(temporary, target.path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(target.path)).catch(() => {
    throw new StoreUnwritable({
      where: target.path,
      operation: "save",
      reason: "the new content is in place, but the disk does not confirm that it will stay",
    });
  });
};

const writeDurably = async (
  path: string,
  content: string,
  target: AuthFileTarget,
): Promise<void> => {
  const file = await createTemporary(path);
  try {
    await keepOwner(file, target);
    await file.writeFile(content, "utf8");
    await file.sync();
  } finally {
    await file.close();
  }
};

/** Root may write another user's file; it has to stay theirs, or they could not read it any more. */
const keepOwner = async (file: FileHandle, target: AuthFileTarget): Promise<void> => {
  if (!isRoot()) return;
  const owner = target.stats ?? rightfulOwner(target.path);
  if (owner !== undefined) await file.chown(owner.uid, owner.gid);
};

/** File systems that cannot sync folders (some network ones) say so with one of these. */
const cannotSync: ReadonlySet<string | undefined> = new Set(["EINVAL", "ENOTSUP", "ENOSYS"]);

/** Makes renames and removals in a folder survive a power cut. Windows cannot open folders, and needs not. */
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

/** About what a sign-in takes, so that a full disk is noticed; what the file holds besides comes on top. */
const PROBE_BYTES = 16 * 1024;

/** Tries what `replaceFile` would do, short of the rename. Throws what the system throws; leaves nothing behind. */
export const probeFolder = async (target: AuthFileTarget): Promise<void> => {
  const temporary = temporaryPath(target.path);
  try {
    await writeDurably(temporary, " ".repeat(PROBE_BYTES + (target.stats?.size ?? 0)), target);
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
};
