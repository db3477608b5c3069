import { join } from "node:path";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Semaphore from "effect/Semaphore";
import { canonicalCodexHome, prepareCodexHome } from "./auth-file/codex-home.ts";
import { describeSystemError } from "./auth-file/system-error.ts";
import type { CodexHome } from "./environment.ts";
import { type HomeLockError, HomeLockFailed } from "./errors/storage.ts";
import { openFloor } from "./home-lock/floor.ts";
import { HeldTurns, type Turn } from "./home-lock/held.ts";
import { withFlock } from "./home-lock/target-lock.ts";
import { waitUntil } from "./home-lock/wait.ts";

/** Names of the lock files in a CODEX_HOME: Codex's, and the one that needs no native package. */
export const codexLockName = "auth.lock";
export const floorLockName = "agent-auth.lock";

export interface HomeLockOptions {
  readonly codexHome: CodexHome;
  /** Milliseconds to wait for another process. Default 60000. */
  readonly maxWaitMs?: number;
  /** False leaves Codex's lock alone, so that only our own programs are excluded. Default true. */
  readonly useFlock?: boolean;
}

type WithLock = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | HomeLockError, R>;

/**
 * One holder over all tasks and processes that share a CODEX_HOME: tasks by a semaphore, our own processes by
 * `agent-auth.lock`, Codex by flock(2) on its `auth.lock`. Without the optional package koffi the last is left out.
 * The locks end with their process, so a killed holder blocks nobody. The folder is made where it may be.
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
>()("@agent-auth/login/home-lock") {
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
        failedWith(path)(error),
      );
      return Effect.flatMap(prepared, () => {
        const home = canonicalCodexHome(options.codexHome);
        return reentrant(home, (inner) =>
          semaphoreOf(home).withPermit(withProcessLocks(home, options)(inner)),
        )(effect);
      });
    });

const withProcessLocks =
  (home: string, options: HomeLockOptions): WithLock =>
  (effect) => {
    const maxWaitMs = options.maxWaitMs ?? 60_000;
    const inner =
      options.useFlock === false
        ? effect
        : withFlock({ path: join(home, codexLockName), mode: 0o666, maxWaitMs })(effect);
    return withFloor(join(home, floorLockName), maxWaitMs)(inner);
  };

const failedWith =
  (path: string) =>
  (error: unknown): HomeLockFailed =>
    new HomeLockFailed({ path, ...describeSystemError(error) });

const withFloor =
  (path: string, maxWaitMs: number): WithLock =>
  (effect) => {
    const failed = failedWith(path);
    const open = Effect.tryPromise({ try: () => openFloor(path), catch: failed });
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

/** Lets an effect through that is inside the same lock already. */
const reentrant =
  (key: string, lock: WithLock): WithLock =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const held = yield* HeldTurns;
      if (held.some((turn) => turn.key === key && !turn.isOver)) return yield* effect;
      const turn: Turn = { key, isOver: false };
      const end = Effect.sync(() => {
        turn.isOver = true;
      });
      return yield* lock(
        effect.pipe(Effect.provideService(HeldTurns, [...held, turn]), Effect.ensuring(end)),
      );
    });

/** Layers of one process that name the same folder share one queue, whatever links they name it by. */
const semaphores = new Map<string, Semaphore.Semaphore>();

const semaphoreOf = (home: string): Semaphore.Semaphore => {
  const known = semaphores.get(home);
  if (known !== undefined) return known;
  const made = Semaphore.makeUnsafe(1);
  semaphores.set(home, made);
  return made;
};
