import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import { canonicalCodexHome, prepareCodexHome } from "../../config/codex-home.ts";
import type { CodexHome } from "../../config/environment.ts";
import {
  HomeLockFailed,
  type LeaseLost,
  type RefreshLockError,
  type StoreUnavailable,
} from "../../errors/store.ts";
import { describeSystemError } from "../fs/system-error.ts";
import { outcomeMemory } from "./outcome-memory.ts";
import type { RefreshOutcome } from "./refresh-outcome.ts";

export type { RefreshOutcome } from "./refresh-outcome.ts";

/**
 * One refresh at a time over all tasks and processes that share a sign-in. Held while a refresh token is sent, which may
 * take half a minute if the authority does not respond; `HomeLock`, which logins and logouts take as well, is not. Callers
 * that wait for this lock share the outcome of its holder, success or failure.
 *
 * For a store that is not on one machine, `storage/custom` makes this service of a `RefreshLockImplementation`. Why there
 * are two locks: docs/decisions/0030-refresh-lock-and-outcome.md.
 *
 * @example
 * ```ts
 * import { layer, RefreshLock } from "@agent-auth/login/storage/lock/refresh-lock";
 * import * as Effect from "effect/Effect";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const codexHome = { path: mkdtempSync(join(tmpdir(), "codex-home-")), explicit: true };
 * const last = RefreshLock.use((lock) => Effect.scoped(Effect.andThen(lock.acquire, lock.lastOutcome)));
 * await Effect.runPromise(Effect.provide(last, layer({ codexHome })));
 * ```
 */
export class RefreshLock extends Context.Service<
  RefreshLock,
  {
    /** Waits for the lock and holds it until the scope closes. The wait can be interrupted. */
    readonly acquire: Effect.Effect<RefreshLease, RefreshLockError, Scope.Scope>;
    /** The outcome that was recorded last, by any process. */
    readonly lastOutcome: Effect.Effect<Option.Option<RefreshOutcome>>;
    /** Waits until an outcome is recorded, by any process, that the function accepts. */
    readonly awaitOutcome: (
      isAwaited: (outcome: RefreshOutcome) => boolean,
    ) => Effect.Effect<RefreshOutcome>;
    /** Records an outcome. Run it while the lock is held. */
    readonly recordOutcome: (outcome: RefreshOutcome) => Effect.Effect<void>;
  }
>()("@agent-auth/login/storage/lock/refresh-lock") {
  /** Excludes the tasks that share this layer; touches no disk. */
  static readonly layerMemory: Layer.Layer<RefreshLock> = Layer.sync(RefreshLock, () => {
    const memory = outcomeMemory();
    return {
      ...memory,
      awaitOutcome: awaitOutcomeOf(memory.lastOutcome),
      acquire: Effect.as(Semaphore.takeScoped(Semaphore.makeUnsafe(1), 1), unlosableLease),
    };
  });
}

/** The right to spend the refresh token, until the scope of `acquire` closes. */
export interface RefreshLease {
  /**
   * Larger than the token of every earlier lease; a safe integer. The store refuses a `save` with an older one. Absent for
   * locks that a running process cannot lose.
   */
  readonly fencingToken?: number;
  /** Fails if the lease is not held any more; else renews it for its full time. Run it before something is spent. */
  readonly confirm: Effect.Effect<void, LeaseLost | StoreUnavailable>;
}

/** The operating system holds a file lock for as long as the process lives. */
const unlosableLease: RefreshLease = { confirm: Effect.void };

const POLL_MS = 40;

/** Waits with `pollForOutcome`, which is loaded on demand: most refreshes wait for no other process. */
const awaitOutcomeOf =
  (lastOutcome: RefreshLock["Service"]["lastOutcome"]): RefreshLock["Service"]["awaitOutcome"] =>
  (isAwaited) =>
    Effect.flatMap(
      Effect.promise(() => import("./poll-for-outcome.ts")),
      ({ pollForOutcome }) => pollForOutcome(lastOutcome, isAwaited, { pauseMs: POLL_MS }),
    );

export interface RefreshLockOptions {
  readonly codexHome: CodexHome;
  /** Milliseconds to wait for another process. Default 60000. */
  readonly maxWaitMs?: number;
}

/** Our lock file for refreshes. Codex does not know it: it sends refresh tokens without a lock. */
export const refreshLockName = "agent-auth.refresh.lock";

/**
 * The lock of a CODEX_HOME: `agent-auth.refresh.lock` in it and, if `auth.json` is a link, beside the file that it leads
 * to. The outcome is recorded in `agent-auth/refresh.json` in the same folders.
 *
 * @example
 * ```ts
 * import { layer, RefreshLock } from "@agent-auth/login/storage/lock/refresh-lock";
 * import * as Effect from "effect/Effect";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const codexHome = { path: mkdtempSync(join(tmpdir(), "codex-home-")), explicit: true };
 * const alone = RefreshLock.use((lock) =>
 *   Effect.scoped(Effect.andThen(lock.acquire, Effect.succeed("runs alone"))),
 * );
 * await Effect.runPromise(Effect.provide(alone, layer({ codexHome, maxWaitMs: 5000 })));
 * ```
 */
export const layer = (options: RefreshLockOptions): Layer.Layer<RefreshLock> =>
  Layer.effect(
    RefreshLock,
    Effect.gen(function* () {
      /** Tasks that share the layer queue here, so that they do not poll the file against each other. */
      const queue = Semaphore.makeUnsafe(1);
      const lockableFiles = new Set<string>();
      /** For homes in which nothing can be written. */
      const memory = outcomeMemory();
      const files = yield* Effect.cached(
        Effect.promise(async () => {
          const file = await import("./refresh-outcome.ts");
          return { ...file, read: file.makeOutcomeReader() };
        }),
      );
      const { codexHome, maxWaitMs = 60_000 } = options;
      const lastOutcome = Effect.gen(function* () {
        const folders = yield* foldersOf(codexHome);
        const { read } = yield* files;
        const found = folders.map(read).filter((outcome) => outcome !== undefined);
        const kept = Option.getOrUndefined(yield* memory.lastOutcome);
        return Option.fromUndefinedOr(newest(kept === undefined ? found : [...found, kept]));
      });
      return {
        acquire: Effect.gen(function* () {
          yield* Semaphore.takeScoped(queue, 1);
          yield* prepareCodexHome(
            codexHome,
            (path, error) => new HomeLockFailed({ path, ...describeSystemError(error) }),
          );
          const { acquireOwnLock } = yield* Effect.promise(() => import("./acquire.ts"));
          yield* acquireOwnLock(refreshLockName, {
            ...homeOf(codexHome),
            maxWaitMs,
            lockableFiles,
          });
          return unlosableLease;
        }),
        lastOutcome,
        awaitOutcome: awaitOutcomeOf(lastOutcome),
        recordOutcome: (outcome) =>
          Effect.gen(function* () {
            const folders = yield* foldersOf(codexHome);
            const { writeOutcome } = yield* files;
            yield* memory.recordOutcome(outcome);
            yield* Effect.promise(() =>
              Promise.all(folders.map((folder) => writeOutcome(folder, outcome))),
            );
          }),
      };
    }),
  );

const homeOf = (codexHome: CodexHome) => ({
  home: canonicalCodexHome(codexHome),
  path: codexHome.path,
});

const foldersOf = (codexHome: CodexHome) =>
  Effect.flatMap(
    Effect.promise(() => import("./acquire.ts")),
    ({ homeFolders }) => homeFolders(homeOf(codexHome)),
  );

const newest = (outcomes: ReadonlyArray<RefreshOutcome>): RefreshOutcome | undefined =>
  outcomes.toSorted((a, b) => b.endedAtMs - a.endedAtMs)[0];
