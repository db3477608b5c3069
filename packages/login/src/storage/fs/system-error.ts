// Translates errors of the operating system: a code and a description, without the original error.

import { StoreUnwritable } from "../../errors/store.ts";

/** Descriptions of common system errors. */
const words: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "the address is in use",
  EADDRNOTAVAIL: "this machine does not have that address",
  EBUSY: "it is in use",
  EDQUOT: "the disk quota is used up",
  EEXIST: "it already exists",
  EFBIG: "the file would exceed the size limit of this process",
  EIO: "the disk reports an error",
  EISDIR: "it is a folder",
  ELOOP: "it is a loop of symbolic links",
  EMFILE: "this process has too many files open",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "there is no such file or folder",
  ENOLCK: "the file system does not support file locks",
  ENOSPC: "the disk is full",
  ENOTDIR: "part of the path is not a folder",
  ENXIO: "it is not a regular file",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
};

export interface SystemError {
  readonly reason: string;
  /** Such as `ENOSPC`; absent if the error did not come from the system. */
  readonly systemCode?: string;
}

/** The error's code. Its class is not looked at: in a module of Jest, errors of Node belong to another realm. */
export const systemCodeOf = (error: unknown): string | undefined => textOf(error, "code");

const textOf = (error: unknown, name: string): string | undefined => {
  const text: unknown = Reflect.get(Object(error), name);
  return typeof text === "string" ? text : undefined;
};

/**
 * Returns a description of a failed system call: in words for common errors, otherwise with the error code.
 *
 * @example
 * ```ts
 * import { describeSystemError } from "@agent-auth/login/storage/fs";
 *
 * describeSystemError(Object.assign(new Error("bind"), { code: "EADDRINUSE" }));
 * // { reason: "the address is in use", systemCode: "EADDRINUSE" }
 * ```
 */
export const describeSystemError = (error: unknown): SystemError => {
  const systemCode = systemCodeOf(error);
  if (systemCode === undefined)
    return { reason: error instanceof StoreUnwritable ? error.reason : "an unexpected failure" };
  const errstr = textOf(error, "errstr"); // a fixed text of SQLite
  if (errstr !== undefined) return { reason: errstr, systemCode };
  return { reason: words[systemCode] ?? `the system reports ${systemCode}`, systemCode };
};
