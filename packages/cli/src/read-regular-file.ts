import { constants } from "node:fs";
import { open } from "node:fs/promises";

const MAX_BYTES = 1024 * 1024;

// Without O_NONBLOCK, opening a FIFO waits for a writer, and even Ctrl-C has no effect. Windows does not have the flag.
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * The text of a file of at most 1 MiB that was named on the command line. Rejects for anything else; `whyUnread`
 * has the reason.
 */
export const readRegularFile = async (path: string): Promise<string> => {
  const file = await open(path, flags);
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) throw new Unfit("it is a folder");
    if (!stats.isFile()) throw new Unfit("it is not a regular file");
    if (stats.size > MAX_BYTES) throw new Unfit("it is larger than 1 MiB");
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
};

/** A file that exists but cannot be used. */
class Unfit extends Error {}

/** The reason why a file could not be read, to follow `cannot read <path>`. */
export const whyUnread = (error: unknown): string => {
  if (error instanceof Unfit) return `: ${error.message}`;
  return error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
};
