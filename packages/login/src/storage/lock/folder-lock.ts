import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Semaphore from "effect/Semaphore";
import { isOthersFolder } from "../fs/owner.ts";
import { openSqliteLock } from "./sqlite-lock.ts";
import { reentrant, type WithLock } from "./held.ts";
import { lockFailed, withFlock } from "./target-lock.ts";
import { waitUntil } from "./wait.ts";

/** Names of the lock files in a folder: Codex's, and the one that needs no native package. */
export const codexLockName = "auth.lock";
export const sqliteLockName = "agent-auth.lock";

export interface FolderLockOptions {
  /** Milliseconds to wait for another process, for each lock file. Default 60000. */
  readonly maxWaitMs?: number;
  /** False leaves Codex's lock alone, so that only our own programs are excluded. Default true. */
  readonly useFlock?: boolean;
}

/** One holder of a folder (canonical path), over tasks and processes. What is inside already is let through. */
export const withFolderLock = (folder: string, options: FolderLockOptions): WithLock =>
  reentrant(folder, (inner) =>
    semaphoreOf(folder).withPermit(withProcessLocks(folder, options)(inner)),
  );

const withProcessLocks =
  (folder: string, options: FolderLockOptions): WithLock =>
  (effect) =>
    Effect.gen(function* () {
      const maxWaitMs = options.maxWaitMs ?? 60_000;
      const codexLock = { path: join(folder, codexLockName), mode: 0o666, maxWaitMs };
      const isOthers = yield* Effect.try({
        try: () => isOthersFolder(folder),
        catch: lockFailed(folder),
      });
      if (isOthers) return yield* withFlock({ ...codexLock, needed: forRoot })(effect);
      const inner = options.useFlock === false ? effect : withFlock(codexLock)(effect);
      return yield* withFloor(join(folder, sqliteLockName), maxWaitMs)(inner);
    });

const forRoot =
  "root can lock a folder where others may write only by flock(2), which needs the package koffi; run it as the folder's owner";

const withFloor =
  (path: string, maxWaitMs: number): WithLock =>
  (effect) => {
    const failed = lockFailed(path);
    const open = Effect.tryPromise({ try: () => openSqliteLock(path), catch: failed });
    return Effect.scoped(
      Effect.gen(function* () {
        // Registered before the lock is taken, so that an interruption in between cannot leave it taken.
        const floor = yield* Effect.acquireRelease(open, (floor) => Effect.sync(floor.close));
        yield* waitUntil(Effect.try({ try: floor.tryLock, catch: failed }), {
          path,
          maxWaitMs,
          firstDelayMs: 1,
          maxDelayMs: 25,
        });
        return yield* effect;
      }),
    );
  };

/** Layers of one process that name the same folder share one queue, whatever links they name it by. */
const semaphores = new Map<string, Semaphore.Semaphore>();

const semaphoreOf = (folder: string): Semaphore.Semaphore => {
  const known = semaphores.get(folder);
  if (known !== undefined) return known;
  const made = Semaphore.makeUnsafe(1);
  semaphores.set(folder, made);
  return made;
};
