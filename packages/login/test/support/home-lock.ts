import { expect } from "vitest";
import * as Effect from "effect/Effect";
import type { CodexHome } from "../../src/environment.ts";
import { HomeLock, type HomeLockOptions, layer } from "../../src/home-lock.ts";
import { program, start, type Started } from "./programs.ts";

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

/** Starts the lock and answers once it is certain that it has to wait. */
export const waiting = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect);
    yield* Effect.sleep(60);
    expect(fiber.pollUnsafe()).toBeUndefined();
    return fiber;
  });
