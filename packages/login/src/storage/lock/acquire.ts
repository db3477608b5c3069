import { constants, realpathSync, statSync } from "node:fs";
import { access, lstat } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Scope from "effect/Scope";
import { type HomeLockError, HomeLockFailed } from "../../errors/store.ts";
import { resolveTarget } from "../fs/target.ts";
import { controlOf, rootAccessProblem, isFolderOfOthers, type PathControl } from "../privilege.ts";
import { acquireFlock, loadFileLock } from "./flock.ts";
import { codexLockName, lockFailed, sqliteLockName } from "./lock-file.ts";
import { acquireSqliteLock } from "./sqlite-lock.ts";

interface AcquireOptions {
  /** Path of CODEX_HOME as it was given, and with links resolved. */
  readonly path: string;
  readonly home: string;
  readonly heldFolders: ReadonlyArray<string>;
  /** For each lock file. */
  readonly maxWaitMs: number;
  readonly useFlock: boolean;
  /** Files that are known to be in a file system with locks; more are added. */
  readonly lockableFiles: Set<string>;
}

/** What was locked, until the scope closes. */
export interface Acquired {
  /** Canonical paths. */
  readonly folders: ReadonlyArray<string>;
  readonly excludesCodex: boolean;
}

/** A folder to lock: its canonical path, and who controls that path. */
interface Folder {
  readonly path: string;
  readonly control: PathControl;
}

/** The link may be changed while this waits for a lock; the locks are then taken again, at most this often. */
const MAX_ATTEMPTS = 3;

/** Locks every folder that the sign-in of a CODEX_HOME depends on, until the scope closes. */
export const acquireHome = Effect.fnUntraced(function* (
  options: AcquireOptions,
): Effect.fn.Return<Acquired, HomeLockError, Scope.Scope> {
  const outer = yield* Scope.Scope;
  for (let attempt = 1; ; attempt++) {
    const folders = yield* foldersToLock(options);
    const scope = yield* Scope.fork(outer);
    const wanted = folders.filter(({ path }) => !options.heldFolders.includes(path));
    const taken = yield* Scope.provide(
      Effect.forEach(wanted, (folder) => acquireFolder(folder, options)),
      scope,
    );
    const isSame = namesOf(folders) === namesOf(yield* foldersToLock(options));
    if (isSame || attempt === MAX_ATTEMPTS) {
      const paths = folders.map(({ path }) => path);
      return { folders: paths, excludesCodex: taken.every((excludesCodex) => excludesCodex) };
    }
    yield* Scope.close(scope, Exit.void);
  }
});

/** Logs that Codex's lock was not taken, if the reason is that koffi is missing. */
export const warnWithoutKoffi = Effect.gen(function* () {
  if ((yield* Effect.promise(() => loadFileLock())) !== undefined) return;
  yield* Effect.logWarning(
    "Codex's lock is not taken, because the optional package koffi is not available. Install koffi if Codex uses the same CODEX_HOME",
  );
});

const namesOf = (folders: ReadonlyArray<Folder>): string =>
  folders.map(({ path }) => path).join("\n");

/**
 * The folder of CODEX_HOME and, if its `auth.json` is a link, the folder of the file that it leads to: two homes that
 * share a file share a lock. Sorted, so that programs that need the same two take them in the same order.
 */
const foldersToLock = ({
  home,
  path,
}: Pick<AcquireOptions, "home" | "path">): Effect.Effect<ReadonlyArray<Folder>> =>
  Effect.promise(async () => {
    const own = { path: home, control: controlOf(path) };
    const linked = await folderOfLinkedFile(join(path, "auth.json")).catch(() => undefined);
    if (linked === undefined || linked.path === home) return [own];
    return [own, linked].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  });

/**
 * `undefined` if nothing is linked. Rejects if no file in the folder can be replaced and no lock file can be created.
 */
const folderOfLinkedFile = async (path: string): Promise<Folder | undefined> => {
  if (!(await lstat(path)).isSymbolicLink()) return undefined;
  const target = await resolveTarget(path, "save");
  const folder = realpathSync.native(dirname(target.path));
  await access(folder, constants.W_OK | constants.X_OK);
  return { path: folder, control: target.control };
};

const needsFlock =
  "root can lock a folder in which others may write only by flock(2), which needs the package koffi; run the program as the folder's owner instead";

/** Takes the lock files of one folder. True if Codex is excluded. */
const acquireFolder = Effect.fnUntraced(function* (
  { control, path: folder }: Folder,
  { lockableFiles, maxWaitMs, useFlock }: AcquireOptions,
): Effect.fn.Return<boolean, HomeLockError, Scope.Scope> {
  const codexLock = join(folder, codexLockName);
  const isOthers = yield* checkFolder({ control, path: folder });
  if (!isOthers)
    yield* acquireSqliteLock(join(folder, sqliteLockName), { maxWaitMs, lockableFiles });
  const isTaken =
    useFlock || isOthers ? yield* acquireFlock({ path: codexLock, control, maxWaitMs }) : false;
  if (isOthers && !isTaken)
    return yield* new HomeLockFailed({ path: codexLock, reason: needsFlock });
  return isTaken;
});

/** Fails if this user must not lock the folder. True if others can write to it and this user is root. */
const checkFolder = Effect.fnUntraced(function* ({
  control,
  path,
}: Folder): Effect.fn.Return<boolean, HomeLockFailed> {
  const [reason, isOthers] = yield* Effect.try({
    try: () =>
      [rootAccessProblem(control, statSync(path), "write"), isFolderOfOthers(path)] as const,
    catch: lockFailed(path),
  });
  if (reason !== undefined) return yield* new HomeLockFailed({ path, reason });
  return isOthers;
});

/** Returns the folders that the sign-in of a CODEX_HOME depends on: canonical paths. */
export const homeFolders = (
  options: Pick<AcquireOptions, "home" | "path">,
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(foldersToLock(options), (folders) => folders.map(({ path }) => path));

/** Takes a lock file that Codex does not know in each of these folders, until the scope closes. */
export const acquireOwnLock = Effect.fnUntraced(function* (
  name: string,
  options: Pick<AcquireOptions, "home" | "lockableFiles" | "maxWaitMs" | "path">,
): Effect.fn.Return<void, HomeLockError, Scope.Scope> {
  const { maxWaitMs } = options;
  for (const folder of yield* foldersToLock(options)) {
    const path = join(folder.path, name);
    if (!(yield* checkFolder(folder))) yield* acquireSqliteLock(path, options);
    else if (!(yield* acquireFlock({ path, control: folder.control, maxWaitMs })))
      return yield* new HomeLockFailed({ path, reason: needsFlock });
  }
});
