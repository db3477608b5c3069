import { realpathSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import * as Effect from "effect/Effect";
import { CodexHomeUnusable } from "../errors/config.ts";
import { describeSystemError, systemCodeOf } from "../storage/fs/system-error.ts";
import { createFolder } from "../storage/privilege.ts";

/** The folder of `auth.json` and `config.toml`. */
export interface CodexHome {
  /** Absolute; links are not resolved, and the folder may not exist. */
  readonly path: string;
  /** Whether `CODEX_HOME` names it. Such a folder has to exist; the default one is created when it is needed. */
  readonly explicit: boolean;
  /**
   * Why there is no such folder, usually because the user's home folder cannot be found. `path` is then a path
   * that cannot exist. Everything that needs the folder fails with `CodexHomeUnusable`; everything else works.
   */
  readonly notFound?: string;
}

/** Below a device file, so that nothing can be read or written there. */
const impossiblePath = process.platform === "win32" ? "\\\\.\\NUL\\.codex" : "/dev/null/.codex";

/**
 * Returns the folder that `CODEX_HOME` names, else `.codex` in the user's home folder. `home` is the value of `HOME`
 * (Windows: `USERPROFILE`). An empty one counts as unset, and the account database is asked instead. A relative one is
 * never used: it would make a folder of the working directory, such as a checkout, the source of credentials.
 */
export const findCodexHome = (from: {
  readonly codexHome: string | undefined;
  readonly home: string | undefined;
}): CodexHome => {
  if (from.codexHome !== undefined) return namedFolder(from.codexHome);
  const home = from.home ?? homeOfAccount();
  if (home !== undefined && isAbsolute(home))
    return { path: join(home, ".codex"), explicit: false };
  const notFound =
    home === undefined
      ? "neither CODEX_HOME nor HOME is set, and the account database has no home folder for this user"
      : "CODEX_HOME is not set, and HOME is not an absolute path";
  return { path: impossiblePath, explicit: false, notFound };
};

const namedFolder = (path: string): CodexHome => {
  try {
    return { path: resolve(path), explicit: true };
  } catch {
    const notFound = "CODEX_HOME is a relative path, and the working directory does not exist";
    return { path: impossiblePath, explicit: true, notFound };
  }
};

/** The module is loaded only here, because almost every process has `HOME`. */
const homeOfAccount = (): string | undefined => {
  try {
    const { homedir } = process.getBuiltinModule("node:os").userInfo();
    return homedir.trim() === "" ? undefined : homedir;
  } catch {
    return undefined; // no entry for this user id
  }
};

/** Returns why a CODEX_HOME cannot be used; `undefined` if it can, or if it is the default one and does not exist yet. */
export const codexHomeProblem = (home: CodexHome): CodexHomeUnusable | undefined => {
  if (home.notFound !== undefined) return new CodexHomeUnusable({ reason: home.notFound });
  const { path } = home;
  try {
    if (statSync(path).isDirectory()) return undefined;
    return new CodexHomeUnusable({ path, reason: "that is not a folder" });
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT")
      return new CodexHomeUnusable({ path, reason: describeSystemError(error).reason });
    if (!home.explicit) return undefined;
    return new CodexHomeUnusable({ path, reason: "that folder does not exist" });
  }
};

/** Fails if `codexHomeProblem` finds a problem. Creates nothing. */
export const checkCodexHome = (home: CodexHome): Effect.Effect<void, CodexHomeUnusable> =>
  Effect.suspend(() => {
    const problem = codexHomeProblem(home);
    return problem === undefined ? Effect.void : Effect.fail(problem);
  });

/**
 * Creates the default folder (0700) if it does not exist. A folder that `CODEX_HOME` names has to exist. A folder that
 * root creates in another user's home belongs to that user.
 */
export const prepareCodexHome = <E>(
  home: CodexHome,
  onFailure: (path: string, error: unknown) => E,
): Effect.Effect<void, E | CodexHomeUnusable> =>
  Effect.flatMap(checkCodexHome(home), () =>
    Effect.try({
      try: () => {
        if (!home.explicit) createFolder(home.path);
      },
      catch: (error) => onFailure(home.path, error),
    }),
  );

/** Returns the path of CODEX_HOME with links resolved, also if the folder does not exist yet. */
export const canonicalCodexHome = (home: CodexHome): string => canonicalPath(home.path);

const canonicalPath = (path: string): string => {
  try {
    return realpathSync.native(path); // as in Rust: on a case-insensitive disk, the spelling of the disk
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(canonicalPath(parent), basename(path));
  }
};
