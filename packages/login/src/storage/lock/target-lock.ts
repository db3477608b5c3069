import * as Effect from "effect/Effect";
import { describeSystemError } from "../fs/system-error.ts";
import { type HomeLockError, HomeLockFailed } from "../../errors/store.ts";
import { closeLockFile, loadFlock, openLockFile } from "./flock.ts";
import { waitUntil } from "./wait.ts";

/** What Codex allows for the lock beside the file, which is only ever held for one write. */
const CODEX_MAX_WAIT_MS = 5_000;

export interface FlockOptions {
  readonly path: string;
  /** Of a lock file that is made; the process's umask takes its part. */
  readonly mode: number;
  readonly maxWaitMs: number;
  /** Where there is no other lock: what to say where this one cannot be had. */
  readonly needed?: string;
}

/** The failure of one lock file, in words. */
export const lockFailed =
  (path: string) =>
  (error: unknown): HomeLockFailed =>
    error instanceof HomeLockFailed
      ? error
      : new HomeLockFailed({ path, ...describeSystemError(error) });

/**
 * Holds flock(2) on one file around the effect. Where flock cannot be had, the effect runs without, or fails if it
 * is `needed`.
 */
export const withFlock =
  (options: FlockOptions) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | HomeLockError, R> =>
    Effect.gen(function* () {
      const tryFlock = yield* Effect.promise(loadFlock);
      if (tryFlock === undefined) return yield* Effect.andThen(unlessNeeded(options), effect);
      const open = Effect.try({
        try: () => openLockFile(options.path, options.mode),
        catch: lockFailed(options.path),
      });
      return yield* Effect.scoped(
        Effect.gen(function* () {
          // Registered before the lock is taken, so that an interruption in between cannot leave it taken.
          const fd = yield* Effect.acquireRelease(open, (fd) =>
            Effect.sync(() => closeLockFile(fd)),
          );
          yield* waitUntil(
            Effect.suspend(() => {
              const answer = tryFlock(fd);
              return answer === "unsupported"
                ? Effect.as(unlessNeeded(options), true)
                : Effect.succeed(answer === "taken");
            }),
            { path: options.path, maxWaitMs: options.maxWaitMs, firstDelayMs: 1, maxDelayMs: 10 },
          );
          return yield* effect;
        }),
      );
    });

const unlessNeeded = ({ needed, path }: FlockOptions): Effect.Effect<void, HomeLockFailed> =>
  needed === undefined ? Effect.void : Effect.fail(new HomeLockFailed({ path, reason: needed }));

/** Codex's inner lock: `<target>.lock`, beside the file that is written. */
export const withTargetLock = (
  target: string,
): (<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | HomeLockError, R>) =>
  withFlock({ path: `${target}.lock`, mode: 0o600, maxWaitMs: CODEX_MAX_WAIT_MS });
