import { existsSync } from "node:fs";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import { canonicalCodexHome, checkCodexHome, prepareCodexHome } from "../../config/codex-home.ts";
import type { CodexHome } from "../../config/environment.ts";
import type { CodexHomeUnusable } from "../../errors/config.ts";
import { HomeLockBusy, type HomeLockError, HomeLockFailed } from "../../errors/store.ts";
import { describeSystemError } from "../fs/system-error.ts";
import type { Acquired } from "./acquire.ts";
import { heldLocks, HomeLockHeld, type HeldLock } from "./held.ts";

export { assertHomeLockHeld, HomeLockHeld } from "./held.ts";
export { codexLockName, sqliteLockName } from "./lock-file.ts";

export interface HomeLockOptions {
  readonly codexHome: CodexHome;
  /** Milliseconds to wait for another holder of each lock file. Default 60000. */
  readonly maxWaitMs?: number;
  /** False leaves Codex's lock alone, so that only programs that use agent-auth are excluded. Default true. */
  readonly useFlock?: boolean;
}

/** What `HomeLock.tryLock` found. */
export type HomeLockState =
  | {
      readonly _tag: "Free";
      /** Whether the lock excludes Codex: koffi is installed, and the file system supports flock(2). */
      readonly excludesCodex: boolean;
    }
  | {
      readonly _tag: "Held";
      /** The lock file that another program or task holds. */
      readonly path: string;
    };

/** What to do if the lock cannot be taken. */
export interface WithoutLockOptions {
  /** Milliseconds to wait for another holder of each lock file. Default 10000. */
  readonly maxWaitMs?: number;
  /** Runs before the effect, if the effect has to run without the lock. */
  readonly onUnavailable: (error: HomeLockBusy | HomeLockFailed) => Effect.Effect<void>;
}

/**
 * Mutual exclusion of everything that shares a CODEX_HOME, or the file that its `auth.json` links to: the tasks of this
 * process, other processes that use agent-auth (`agent-auth.lock`), and Codex (`auth.lock`). Without the optional
 * package koffi Codex is not excluded. The operating system releases the locks of a process that ends, so a killed
 * holder does not block others. The default CODEX_HOME is created if it is missing. See docs/storage.md.
 *
 * @example
 * ```ts
 * import { HomeLock, layer } from "@agent-auth/login/storage/lock";
 * import * as Effect from "effect/Effect";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const codexHome = { path: mkdtempSync(join(tmpdir(), "codex-home-")), explicit: true };
 * const program = HomeLock.use((lock) => lock.withLock(Effect.succeed("runs alone")));
 * await Effect.runPromise(Effect.provide(program, layer({ codexHome })));
 * ```
 */
export class HomeLock extends Context.Service<
  HomeLock,
  {
    /**
     * Runs the effect while holding the lock. Waits for another holder without blocking the process; the wait ends on
     * interruption or after the layer's `maxWaitMs`. The lock is released when the effect ends, however it ends. Not
     * re-entrant: dies if the effect already holds the lock of the same home.
     */
    readonly withLock: <A, E, R>(
      effect: Effect.Effect<A, E, R>,
    ) => Effect.Effect<A, E | HomeLockError, Exclude<R, HomeLockHeld>>;
    /**
     * Runs the effect while holding the lock, or without it if the lock cannot be taken. Only for removing a
     * credential: a program that holds a lock file must not be able to prevent that.
     */
    readonly withLockIfAvailable: <A, E, R>(
      effect: Effect.Effect<A, E, R>,
      options: WithoutLockOptions,
    ) => Effect.Effect<A, E | CodexHomeUnusable, Exclude<R, HomeLockHeld>>;
    /**
     * Takes the lock without waiting, releases it at once, and returns whether it was free. Fails if it is impossible to take
     * it: a lock file is not usable, or the file system has no locks.
     */
    readonly tryLock: Effect.Effect<HomeLockState, HomeLockError>;
  }
>()("@agent-auth/login/storage/lock") {
  /** Excludes the tasks that share this layer; touches no disk. */
  static readonly layerMemory: Layer.Layer<HomeLock> = Layer.sync(HomeLock, () => {
    const home = Symbol("a store in memory");
    const path = "memory of this process";
    let isHeld = false;
    const take = Effect.suspend(() => {
      if (isHeld) return Effect.fail(new HomeLockBusy({ path, waitedMs: 0 }));
      isHeld = true;
      return Effect.succeed(nothing);
    });
    const release = Effect.sync(() => {
      isHeld = false;
    });
    return makeHomeLock({
      home: () => home,
      acquire: () => Effect.acquireRelease(take, () => release),
    });
  });
}

/**
 * The lock of a CODEX_HOME. Layers of the same home exclude each other by its lock files.
 *
 * @example
 * ```ts
 * import { HomeLock, layer } from "@agent-auth/login/storage/lock";
 * import * as Effect from "effect/Effect";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const codexHome = { path: mkdtempSync(join(tmpdir(), "codex-home-")), explicit: true };
 * const lock = layer({ codexHome, maxWaitMs: 5000 }); // fails with HomeLockBusy after five seconds
 * const program = HomeLock.use((lock) => lock.withLock(Effect.succeed("runs alone")));
 * await Effect.runPromise(Effect.provide(program, lock));
 * ```
 */
export const layer = (options: HomeLockOptions): Layer.Layer<HomeLock> =>
  Layer.sync(HomeLock, () => {
    const lockableFiles = new Set<string>();
    let isWarned = false;
    return makeHomeLock({
      home: () => canonicalCodexHome(options.codexHome),
      acquire: ({ createHome = true, heldFolders, maxWaitMs = options.maxWaitMs ?? 60_000 }) =>
        Effect.gen(function* () {
          yield* checkCodexHome(options.codexHome);
          if (!createHome && !existsSync(options.codexHome.path)) return nothing;
          yield* prepareCodexHome(
            options.codexHome,
            (path, error) => new HomeLockFailed({ path, ...describeSystemError(error) }),
          );
          const { acquireHome, warnWithoutKoffi } = yield* Effect.promise(
            () => import("./acquire.ts"),
          );
          const { useFlock = true } = options;
          const { path } = options.codexHome;
          const home = canonicalCodexHome(options.codexHome);
          const acquired = yield* acquireHome({
            path,
            home,
            heldFolders,
            maxWaitMs,
            useFlock,
            lockableFiles,
          });
          if (useFlock && !acquired.excludesCodex && !isWarned) {
            isWarned = true;
            yield* warnWithoutKoffi;
          }
          return acquired;
        }),
    });
  });

const nothing: Acquired = { folders: [], excludesCodex: false };

interface Mechanism {
  readonly home: () => string | symbol;
  readonly acquire: (options: {
    readonly maxWaitMs?: number;
    /** False: a default CODEX_HOME that is missing stays missing, and there is nothing to lock. */
    readonly createHome?: boolean;
    /** Folders that an enclosing lock of another home holds. */
    readonly heldFolders: ReadonlyArray<string>;
  }) => Effect.Effect<Acquired, HomeLockError, Scope.Scope>;
}

const REMOVAL_MAX_WAIT_MS = 10_000;

const makeHomeLock = ({ acquire, home }: Mechanism): HomeLock["Service"] => {
  /** Tasks that share the layer queue here, so that they do not poll the files against each other. */
  const queue = Semaphore.makeUnsafe(1);

  const lockWith = <A, E, R, E2>(
    effect: Effect.Effect<A, E, R>,
    take: (heldFolders: ReadonlyArray<string>) => Effect.Effect<Acquired, E2, Scope.Scope>,
  ): Effect.Effect<A, E | E2, Exclude<R, HomeLockHeld>> =>
    Effect.gen(function* () {
      const here = home();
      const outer = yield* heldLocks(here);
      const alone = Effect.scopedWith((scope) =>
        Effect.gen(function* () {
          const { folders } = yield* Scope.provide(take(foldersOf(outer)), scope);
          const turn: HeldLock = { home: here, folders, isOver: false };
          const end = Effect.sync(() => {
            turn.isOver = true;
          });
          const inside = Effect.provideService(effect, HomeLockHeld, { turns: [...outer, turn] });
          return yield* Effect.ensuring(inside, end);
        }),
      );
      return yield* queue.withPermit(alone);
    });

  return {
    withLock: (effect) => lockWith(effect, (heldFolders) => acquire({ heldFolders })),
    withLockIfAvailable: (effect, { maxWaitMs = REMOVAL_MAX_WAIT_MS, onUnavailable }) => {
      const without = (error: HomeLockBusy | HomeLockFailed) =>
        Effect.as(onUnavailable(error), nothing);
      return lockWith(effect, (heldFolders) =>
        acquire({ heldFolders, maxWaitMs, createHome: false }).pipe(
          Effect.catchTag("HomeLockBusy", without),
          Effect.catchTag("HomeLockFailed", without),
        ),
      );
    },
    tryLock: Effect.gen(function* () {
      const heldFolders = foldersOf(yield* heldLocks(home()));
      return yield* Effect.scoped(acquire({ heldFolders, maxWaitMs: 0, createHome: false })).pipe(
        Effect.map(({ excludesCodex }): HomeLockState => ({ _tag: "Free", excludesCodex })),
        Effect.catchTag("HomeLockBusy", ({ path }) =>
          Effect.succeed<HomeLockState>({ _tag: "Held", path }),
        ),
      );
    }),
  };
};

const foldersOf = (turns: ReadonlyArray<HeldLock>) => turns.flatMap(({ folders }) => folders);
