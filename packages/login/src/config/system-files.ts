import { lstatSync, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import * as Effect from "effect/Effect";
import { ConfigUnreadable } from "../errors/config.ts";
import { StoreUnreadable } from "../errors/store.ts";
import { readSmallFile } from "../storage/fs/read.ts";
import { describeSystemError } from "../storage/fs/system-error.ts";

/**
 * The folder of the files with which an administrator configures every user of a machine, as in Codex: `/etc/codex`, on
 * Windows `C:\ProgramData\OpenAI\Codex`. No environment variable moves it.
 */
export const defaultSystemFolder =
  process.platform === "win32" ? "C:\\ProgramData\\OpenAI\\Codex" : "/etc/codex";

/** The files of the system folder. On Windows, `managed_config.toml` is in CODEX_HOME instead, as in Codex. */
export type SystemFileName = "config.toml" | "managed_config.toml" | "requirements.toml";

/**
 * Reads a file of the system folder; `undefined` if there is none. Fails if the file or its folder cannot be read, or if
 * a user other than root and the current one can change or replace it. A rule that cannot be read is never ignored.
 */
export const readSystemFile = (
  folder: string,
  name: SystemFileName,
): Effect.Effect<
  { readonly path: string; readonly bytes: Uint8Array } | undefined,
  ConfigUnreadable
> =>
  Effect.suspend(() => {
    const path = join(folder, name);
    const fail = (reason: string) =>
      Effect.fail(new ConfigUnreadable({ path, reason, isSystemFile: true }));
    try {
      // The folder also counts if the file does not exist: another user may have removed it.
      const folderProblem = untrusted(statSync(folder));
      if (folderProblem !== undefined) return fail(`${folder}: ${folderProblem}`);
      const entry = lstatSync(path, { throwIfNoEntry: false });
      if (entry === undefined) return Effect.undefined;
      const bytes = readSmallFile(path);
      if (bytes === undefined) return fail("it is a link to a file that does not exist");
      const problem = untrustedFile(path);
      return problem === undefined ? Effect.succeed({ path, bytes }) : fail(problem);
    } catch (error) {
      return fail(
        error instanceof StoreUnreadable ? error.reason : describeSystemError(error).reason,
      );
    }
  });

/**
 * Whether there is a system folder. Most machines have none, and then no file is looked up. A link to a folder that does
 * not exist counts: reading its files fails.
 */
export const hasSystemFolder = (folder: string): boolean => {
  try {
    return lstatSync(folder, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true; // reading its files says why
  }
};

/** Returns why a file is not trusted as an administrator's: its owner, its mode, or where a link leads. */
const untrustedFile = (path: string): string | undefined =>
  untrusted(statSync(path)) ?? untrustedTarget(path);

/**
 * Returns why an existing file is not trusted as an administrator's, or why its folder is not: who can change the folder
 * can replace the file.
 */
export const whyNotTrusted = (path: string): string | undefined => {
  const folder = dirname(path);
  try {
    const problem = untrusted(statSync(folder));
    return problem === undefined ? untrustedFile(path) : `${folder}: ${problem}`;
  } catch (error) {
    return describeSystemError(error).reason;
  }
};

/** Returns why an entry is not trusted as an administrator's. On Windows, owners and modes are not available. */
const untrusted = ({ mode, uid }: Stats): string | undefined => {
  if (process.platform === "win32") return undefined;
  const isOwn = uid === 0 || uid === process.geteuid?.() || isOutsideOfNamespace(uid);
  if (!isOwn) return `it belongs to user ${uid}, not to root`;
  if ((mode & 0o002) !== 0) return "every user can change it";
  // An access list that lets other users write shows in these bits as well, also if the group is root's.
  return (mode & 0o020) !== 0 ? "its group can change it" : undefined;
};

/** Returns why a link's target is not trusted: who can change a folder on the way to a file can replace the file. */
const untrustedTarget = (path: string): string | undefined => {
  const target = realpathSync.native(path);
  if (target === path) return undefined;
  for (let folder = dirname(target); ; folder = dirname(folder)) {
    const stats = statSync(folder);
    if ((stats.mode & STICKY) !== 0) stats.mode &= ~0o022;
    const problem = untrusted(stats);
    if (problem !== undefined) return `${folder}: ${problem}`;
    if (folder === dirname(folder)) return undefined;
  }
};

/** In such a folder, for example `/tmp`, users can replace only their own files. */
const STICKY = 0o1000;

/** In a container without root rights, the kernel shows the host's root as this id. */
const OVERFLOW_ID = 65_534;

const isOutsideOfNamespace = (id: number): boolean => {
  if (id !== OVERFLOW_ID) return false;
  try {
    // The initial namespace maps all ids to themselves.
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
  } catch {
    return false;
  }
};
