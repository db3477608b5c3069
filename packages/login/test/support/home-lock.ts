import { expect } from "vitest";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import type { CodexHome } from "../../src/config/environment.ts";
import { HomeLock, type HomeLockOptions, layer } from "../../src/storage/lock/index.ts";
import { program, start, type Started } from "./start-program.ts";

export const openLock = (options: HomeLockOptions): HomeLock["Service"] =>
  Effect.runSync(Effect.provide(HomeLock, layer(options)));

/** Ends when the program has printed the word. */
export const said = (started: Started, word: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    let heard = "";
    started.child.stdout?.on("data", (chunk: Buffer) => {
      heard += chunk.toString();
      if (heard.includes(word)) resume(Effect.void);
    });
  });

/** Another process that holds the lock of a home until its stdin ends; it prints "held". */
export const holder = (home: CodexHome, kind = "flock"): Started =>
  start(program("hold-lock", home.path, kind), { stdio: ["pipe", "pipe", "pipe"] });

/** Starts an effect whose pauses are observed: a caller that finds a lock taken pauses before it tries again. */
export const startHeard = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock;
    let hear: (() => void) | undefined;
    const heard: Clock.Clock = {
      currentTimeMillis: clock.currentTimeMillis,
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
      currentTimeNanos: clock.currentTimeNanos,
      currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
      monotonicTimeNanos: clock.monotonicTimeNanos,
      monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
      sleep: (duration) =>
        Effect.suspend(() => {
          hear?.();
          return clock.sleep(duration);
        }),
    };
    const nextPause = Effect.callback<void>((resume) => {
      hear = () => resume(Effect.void);
    });
    const fiber = yield* Effect.forkChild(Effect.provideService(effect, Clock.Clock, heard));
    /** Ends when the effect pauses the next time; fails the test if it ends instead. */
    const pauses = Effect.gen(function* () {
      yield* Effect.raceFirst(nextPause, Fiber.await(fiber));
      expect(fiber.pollUnsafe()).toBeUndefined();
    });
    return { fiber, pauses };
  });

/** Starts an effect and answers once it has found a lock taken and waits for it. */
export const waiting = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const { fiber, pauses } = yield* startHeard(effect);
    yield* pauses;
    return fiber;
  });
