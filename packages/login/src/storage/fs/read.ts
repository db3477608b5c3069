import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { StoreUnreadable } from "../../errors/store.ts";
import { rootAccessProblemOfOpenFile } from "../privilege.ts";
import { describeSystemError, systemCodeOf } from "./system-error.ts";

const MIB = 1024 * 1024;
/** An auth.json or config.toml has a few KiB. A larger file is not one of them, and is not read. */
export const MAX_BYTES = MIB;

// Without O_NONBLOCK, opening a FIFO waits for a writer: Codex hangs there. Windows has neither flag.
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/**
 * The bytes of a small regular file, links followed; `undefined` if there is none. Throws `StoreUnreadable` for others:
 * folders, FIFOs, devices, files of more than `maxBytes` (default 1 MiB), and what root must not read for another user.
 * Synchronous: for one small local file, an asynchronous read takes ten times as long.
 */
export const readSmallFile = (path: string, maxBytes = MAX_BYTES): Uint8Array | undefined => {
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw new StoreUnreadable({ where: path, ...describeSystemError(error) });
  }
  try {
    return readRegularFile(fd, path, maxBytes);
  } catch (error) {
    if (error instanceof StoreUnreadable) throw error;
    throw new StoreUnreadable({ where: path, ...describeSystemError(error) });
  } finally {
    closeSync(fd);
  }
};

const readRegularFile = (fd: number, path: string, maxBytes: number): Uint8Array => {
  const stats = fstatSync(fd);
  if (!stats.isFile())
    throw new StoreUnreadable({
      where: path,
      reason: stats.isDirectory() ? "it is a folder" : "it is not a regular file",
    });
  if (stats.size > maxBytes)
    throw new StoreUnreadable({ where: path, reason: `it is larger than ${maxBytes / MIB} MiB` });
  const refusal = rootAccessProblemOfOpenFile(path, fd, stats);
  if (refusal !== undefined) throw new StoreUnreadable({ where: path, reason: refusal });
  const buffer = Buffer.allocUnsafe(stats.size);
  let length = 0;
  while (length < buffer.length) {
    const read = readSync(fd, buffer, length, buffer.length - length, null);
    if (read === 0) break;
    length += read;
  }
  return buffer.subarray(0, length);
};
