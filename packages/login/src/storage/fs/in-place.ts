import { constants } from "node:fs";
import { type FileHandle, open, statfs } from "node:fs/promises";
import { StoreUnwritable } from "../../errors/store.ts";

// For a file that is a mount point, which no rename can replace. Writing in place is not atomic: a reader may see the
// new content followed by the rest of the old one, and a power failure can leave the file in that state.

const flags = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0);

/**
 * Overwrites a file that exists. On failure the old content is written back. JSON may end in white space, so only the
 * write of the content itself can leave an invalid file.
 */
export const overwriteFile = async (path: string, content: string): Promise<void> => {
  const file = await open(path, flags);
  try {
    const before = await file.readFile();
    const bytes = Buffer.from(content);
    try {
      // First extends the file with white space after the old content, so that a full disk is detected before that
      // content changes.
      const growth = Buffer.alloc(Math.max(0, bytes.length - before.length), " ");
      await writeAt(file, growth, before.length);
      await file.sync();
      const padding = Buffer.alloc(Math.max(0, before.length - bytes.length), " ");
      await writeAt(file, Buffer.concat([bytes, padding]), 0);
      await file.sync();
      await file.truncate(bytes.length);
    } catch (error) {
      await restore(file, before).catch(() => undefined);
      throw error;
    }
    await file.chmod(0o600).catch(() => undefined); // the file may be another user's
    await file.sync();
  } finally {
    await file.close();
  }
};

const writeAt = async (file: FileHandle, bytes: Buffer, position: number): Promise<void> => {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
};

const restore = async (file: FileHandle, before: Buffer): Promise<void> => {
  await writeAt(file, before, 0);
  await file.truncate(before.length);
  await file.sync();
};

/** Throws if `overwriteFile` could not write content that is `growth` bytes larger than the file. Changes nothing. */
export const assertOverwritable = async (path: string, growth: number): Promise<void> => {
  const file = await open(path, flags);
  await file.close();
  const { bavail, bsize } = await statfs(path);
  if (bavail * bsize >= growth) return;
  throw new StoreUnwritable({
    where: path,
    operation: "save",
    reason: "the disk is full",
    systemCode: "ENOSPC",
  });
};
