import { constants } from "node:fs";
import { access, lstat } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Scope from "effect/Scope";
import { type HomeLockError, HomeLockFailed } from "../../errors/store.ts";
import { isFolderOfOthers } from "../fs/owner.ts";
import { resolveTarget } from "../fs/target.ts";
import { acquireFlock } from "./flock.ts";
import { codexLockName, lockFailed, sqliteLockName } from "./lock-file.ts";
import { acquireSqliteLock } from "./sqlite-lock.ts";

interface AcquireOptions {
  /** Canonical path of CODEX_HOME. */
  readonly home: string;
  readonly heldFolders: ReadonlyArray<string>;
  /** For each lock file. */
  readonly maxWaitMs: number;
  readonly useFlock: boolean;
}

/** What was locked, until the scope closes. */
export interface Acquired {
  /** Canonical paths. */
  readonly folders: ReadonlyArray<string>;
  readonly excludesCodex: boolean;
}

/** The link may be changed while this waits for a lock; the locks are taken anew this often at most. */
const MAX_ATTEMPTS = 3;

/** Locks every folder that stands for the sign-in of a CODEX_HOME, until the scope closes. */
export const acquireHome = Effect.fnUntraced(function* (
  options: AcquireOptions,
): Effect.fn.Return<Acquired, HomeLockError, Scope.Scope> {
  const outer = yield* Scope.Scope;
  for (let attempt = 1; ; attempt++) {
    const folders = yield* foldersToLock(options.home);
    const scope = yield* Scope.fork(outer);
    const wanted = folders.filter((folder) => !options.heldFolders.includes(folder));
    const taken = yield* Scope.provide(
      Effect.forEach(wanted, (folder) => acquireFolder(folder, options)),
      scope,
    );
    const isSame = folders.join("\n") === (yield* foldersToLock(options.home)).join("\n");
    if (isSame || attempt === MAX_ATTEMPTS) {
      return { folders, excludesCodex: taken.every((excludesCodex) => excludesCodex) };
    }
    yield* Scope.close(scope, Exit.void);
  }
});

/**
 * The folder of CODEX_HOME and, if its `auth.json` is a link, the folder of the file that it leads to: two homes that
 * share a file share a lock. Sorted, so that programs that need the same two take them in the same order.
 */
const foldersToLock = (home: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const linked = await folderOfLinkedFile(join(home, "auth.json")).catch(() => undefined);
    return linked === undefined || linked === home ? [home] : [home, linked].toSorted();
  });

/** `undefined` if nothing is linked. Rejects if nothing can be replaced in the folder, nor a lock file be created. */
const folderOfLinkedFile = async (path: string): Promise<string | undefined> => {
  if (!(await lstat(path)).isSymbolicLink()) return undefined;
  const folder = dirname((await resolveTarget(path, "save")).path);
  await access(folder, constants.W_OK | constants.X_OK);
  return folder;
};

const needsFlock =
  "root can lock a folder in which others may write only by flock(2), which needs the package koffi; run the program as the folder's owner instead";

/** Takes the lock files of one folder. True if Codex is excluded. */
const acquireFolder = Effect.fnUntraced(function* (
  folder: string,
  { maxWaitMs, useFlock }: AcquireOptions,
): Effect.fn.Return<boolean, HomeLockError, Scope.Scope> {
  const codexLock = join(folder, codexLockName);
  const isOthers = yield* Effect.try({
    try: () => isFolderOfOthers(folder),
    catch: lockFailed(folder),
  });
  if (!isOthers) yield* acquireSqliteLock(join(folder, sqliteLockName), maxWaitMs);
  const isTaken = useFlock || isOthers ? yield* acquireFlock(codexLock, maxWaitMs) : false;
  if (isOthers && !isTaken)
    return yield* new HomeLockFailed({ path: codexLock, reason: needsFlock });
  return isTaken;
});
