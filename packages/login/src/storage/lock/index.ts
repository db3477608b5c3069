import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Semaphore from "effect/Semaphore";
import { canonicalCodexHome, prepareCodexHome } from "../../config/codex-home.ts";
import type { CodexHome } from "../../config/environment.ts";
import type { HomeLockError } from "../../errors/store.ts";
import { type FolderLockOptions, withFolderLock } from "./folder-lock.ts";
import { foldersToLock } from "./folders.ts";
import { reentrant, type WithLock } from "./held.ts";
import { lockFailed } from "./target-lock.ts";

export { codexLockName, sqliteLockName } from "./folder-lock.ts";

export interface HomeLockOptions extends FolderLockOptions {
  readonly codexHome: CodexHome;
}

/**
 * One holder over all tasks and processes that share a CODEX_HOME, or the file that its `auth.json` links to: tasks by
 * a semaphore, our own processes by `agent-auth.lock`, Codex by flock(2) on its `auth.lock`. Without the optional
 * package koffi the last is left out. The locks end with their process, so a killed holder blocks nobody. The folder is
 * made where it may be.
 */
export class HomeLock extends Context.Service<
  HomeLock,
  {
    /**
     * Runs the effect alone. Waits for the present holder, without blocking the process, and gives up on
     * interruption or after the layer's `maxWaitMs`. The lock ends with the effect, however that ends, and with the
     * process. An effect inside may ask again (a store's `save` does) and is let through.
     */
    readonly withLock: WithLock;
  }
>()("@agent-auth/login/storage/lock") {
  /** Excludes the tasks of this layer only; touches no disk. */
  static readonly layerMemory: Layer.Layer<HomeLock> = Layer.sync(HomeLock, () => ({
    withLock: reentrant(`memory ${++memoryLocks}`, Semaphore.withPermit(Semaphore.makeUnsafe(1))),
  }));
}

let memoryLocks = 0;

export const layer = (options: HomeLockOptions): Layer.Layer<HomeLock> =>
  Layer.succeed(HomeLock, { withLock: (effect) => withHomeLock(options)(effect) });

const withHomeLock =
  (options: HomeLockOptions): WithLock =>
  (effect) =>
    Effect.suspend(() => {
      const prepared = prepareCodexHome(options.codexHome, (path, error) =>
        lockFailed(path)(error),
      );
      return Effect.flatMap(prepared, () =>
        withFolders(canonicalCodexHome(options.codexHome), options, effect),
      );
    });

/** Somebody may point the link elsewhere while this waits; not more often than this. */
const MAX_ATTEMPTS = 3;

const withFolders = <A, E, R>(
  home: string,
  options: FolderLockOptions,
  effect: Effect.Effect<A, E, R>,
  attempt = 1,
): Effect.Effect<A, E | HomeLockError, R> =>
  Effect.gen(function* () {
    const folders = yield* foldersToLock(home);
    const guarded = Effect.gen(function* () {
      const isSame = folders.join("\n") === (yield* foldersToLock(home)).join("\n");
      return isSame || attempt === MAX_ATTEMPTS ? Option.some(yield* effect) : Option.none();
    });
    const done = yield* folders.reduceRight<Effect.Effect<Option.Option<A>, E | HomeLockError, R>>(
      (inner, folder) => withFolderLock(folder, options)(inner),
      guarded,
    );
    return Option.isSome(done)
      ? done.value
      : yield* withFolders(home, options, effect, attempt + 1);
  });
