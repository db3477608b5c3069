import { accessSync, constants, lstatSync } from "node:fs";
import { HomeLockFailed } from "../../errors/store.ts";
import { quoteForShell } from "../../errors/place.ts";
import { describeSystemError } from "../fs/system-error.ts";

/** Codex's lock file in CODEX_HOME. */
export const codexLockName = "auth.lock";
/** The lock file of agent-auth in CODEX_HOME, which needs no native package. */
export const sqliteLockName = "agent-auth.lock";

/** Translates an error of a lock file. */
export const lockFailed =
  (path: string) =>
  (error: unknown): HomeLockFailed =>
    error instanceof HomeLockFailed
      ? error
      : (lockFileProblem(path) ?? new HomeLockFailed({ path, ...describeSystemError(error) }));

/** What makes a lock file unusable, with the command that repairs it; `undefined` if nothing does. */
export const lockFileProblem = (
  path: string,
  options: { readonly mustBeEmpty?: boolean } = {},
): HomeLockFailed | undefined => {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  const name = quoteForShell(path);
  const failed = (reason: string, fix: string) => new HomeLockFailed({ path, reason, fix });
  if (stats.isSymbolicLink()) return failed("it is a symbolic link", `rm ${name}`);
  if (stats.isDirectory()) return failed("it is a folder", `rmdir ${name}`);
  if (!stats.isFile()) return failed("it is not a regular file", `rm ${name}`);
  if (options.mustBeEmpty === true && stats.size > 0)
    return failed("it is not empty, so it is not a lock file of agent-auth", `rm ${name}`);
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    const uid = process.geteuid?.();
    const mode = (stats.mode & 0o777).toString(8).padStart(3, "0");
    return uid === stats.uid
      ? failed(`its mode is ${mode}`, `chmod 600 ${name}`)
      : failed(`it belongs to another user (uid ${stats.uid})`, `sudo chown ${uid} ${name}`);
  }
};
