import { mkdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import * as Effect from "effect/Effect";
import type { CodexHome } from "./environment.ts";
import { CodexHomeUnusable } from "../errors/config.ts";
import { describeSystemError, systemCodeOf } from "../storage/fs/system-error.ts";

/** What `CODEX_HOME` is, where it is no usable folder; `undefined` where it is one, or where nothing has to be. */
export const codexHomeProblem = (home: CodexHome): CodexHomeUnusable | undefined => {
  try {
    if (statSync(home.path).isDirectory()) return undefined;
    return new CodexHomeUnusable({ path: home.path, reason: "that is not a folder" });
  } catch (error) {
    if (systemCodeOf(error) !== "ENOENT")
      return new CodexHomeUnusable({ path: home.path, reason: describeSystemError(error).reason });
    if (!home.explicit) return undefined;
    return new CodexHomeUnusable({ path: home.path, reason: "that folder does not exist" });
  }
};

/** Fails unless `CODEX_HOME`, where it is set, is a folder that can be looked into. Makes nothing. */
export const checkCodexHome = (home: CodexHome): Effect.Effect<void, CodexHomeUnusable> =>
  Effect.suspend(() => {
    const problem = codexHomeProblem(home);
    return problem === undefined ? Effect.void : Effect.fail(problem);
  });

/** Makes the default folder (0700) where it is missing. One that `CODEX_HOME` names has to exist. */
export const prepareCodexHome = <E>(
  home: CodexHome,
  onFailure: (path: string, error: unknown) => E,
): Effect.Effect<void, E | CodexHomeUnusable> =>
  Effect.flatMap(checkCodexHome(home), () =>
    Effect.try({
      try: () => {
        if (!home.explicit) mkdirSync(home.path, { recursive: true, mode: 0o700 });
      },
      catch: (error) => onFailure(home.path, error),
    }),
  );

/** The path of CODEX_HOME with links resolved, as it will be once it is made where it does not exist yet. */
export const canonicalCodexHome = (home: CodexHome): string => canonicalPath(home.path);

const canonicalPath = (path: string): string => {
  try {
    return realpathSync.native(path); // as Rust's: where case does not count, the spelling on disk
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(canonicalPath(parent), basename(path));
  }
};
