import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { describeSystemError } from "./system-error.ts";

/** A file that was read, or why it was not. */
export type FoundFile =
  | {
      readonly bytes: Buffer;
      /** The permission bits, as `fs.Stats.mode` has them. */
      readonly mode: number;
    }
  | { readonly problem: string };

// Without O_NONBLOCK, opening a FIFO waits for a writer, and even Ctrl-C has no effect. Windows does not have the flag.
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Reads a file that a person or a platform named, links followed. Refuses everything that could hang or fill the memory:
 * folders, pipes, devices, and files of more than `maxBytes`. Never rejects.
 *
 * @example
 * ```ts
 * import { readRegularFile } from "@agent-auth/login/storage/fs";
 *
 * const found = await readRegularFile("/dev/zero", 1024);
 * console.log("problem" in found && found.problem); // it is not a regular file
 * ```
 */
export const readRegularFile = async (path: string, maxBytes: number): Promise<FoundFile> => {
  try {
    const file = await open(path, flags);
    try {
      return await readOpenFile(file, maxBytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    return { problem: describeSystemError(error).reason };
  }
};

const readOpenFile = async (file: FileHandle, maxBytes: number): Promise<FoundFile> => {
  const stats = await file.stat();
  if (stats.isDirectory()) return { problem: "it is a folder" };
  if (!stats.isFile()) return { problem: "it is not a regular file" };
  if (stats.size > maxBytes) return { problem: `it is larger than ${inUnits(maxBytes)}` };
  return { bytes: await file.readFile(), mode: stats.mode };
};

const inUnits = (bytes: number): string =>
  bytes % 1024 ** 2 === 0 ? `${bytes / 1024 ** 2} MiB` : `${bytes / 1024} KiB`;
