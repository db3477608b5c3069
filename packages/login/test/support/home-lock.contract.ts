import { describe, expect, it } from "@effect/vitest";
import * as Cause from "effect/Cause";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import type { HomeLock } from "../../src/storage/lock/index.ts";

/** Tests the behaviour that every lock must have. Each call of `open` returns the lock of another home. */
export const homeLockContract = (name: string, open: () => HomeLock["Service"]): void => {
  describe(`HomeLock, ${name}`, () => {
    it.live("lets one task of many in at a time", () =>
      Effect.gen(function* () {
        const lock = open();
        let [inside, most, turns] = [0, 0, 0];
        const turn = Effect.gen(function* () {
          most = Math.max(most, ++inside);
          yield* Effect.yieldNow;
          inside--;
          turns++;
        });
        const all = Array.from({ length: 50 }, () => lock.withLock(turn));
        yield* Effect.all(all, { concurrency: "unbounded" });
        expect({ most, turns }).toEqual({ most: 1, turns: 50 });
      }),
    );

    it.live(
      "is released when the effect ends, whether it succeeds, fails, dies or is interrupted",
      () =>
        Effect.gen(function* () {
          const lock = open();
          const ends: ReadonlyArray<Effect.Effect<unknown, string>> = [
            Effect.succeed(1),
            Effect.fail("no"),
            Effect.die("oh"),
            Effect.interrupt,
          ];
          for (const end of ends) yield* Effect.exit(lock.withLock(end));
          expect(yield* lock.withLock(Effect.succeed("free"))).toBe("free");
        }),
    );

    it.live("dies, instead of waiting for itself, if the effect already holds it", () =>
      Effect.gen(function* () {
        const lock = open();
        const exit = yield* Effect.exit(lock.withLock(lock.withLock(Effect.void)));
        expect(Exit.isFailure(exit) && String(Cause.squash(exit.cause))).toContain(
          "HomeLock is not re-entrant",
        );
        expect(yield* lock.withLock(Effect.succeed("free"))).toBe("free");
      }),
    );

    it.live("can be taken inside the lock of another home", () =>
      Effect.gen(function* () {
        const nested = open().withLock(open().withLock(Effect.succeed("in")));
        expect(yield* nested).toBe("in");
      }),
    );

    it.live("can be taken by a fiber that started inside it and outlived it", () =>
      Effect.gen(function* () {
        const lock = open();
        const released = yield* Deferred.make<void>();
        const late = yield* lock.withLock(
          Effect.forkDetach(
            Effect.andThen(Deferred.await(released), lock.withLock(Effect.succeed("late"))),
          ),
        );
        yield* Deferred.succeed(released, undefined);
        expect(yield* Fiber.join(late)).toBe("late");
      }),
    );

    it.live("can be tried: free before and after, held in between", () =>
      Effect.gen(function* () {
        const lock = open();
        const isHeld = yield* Deferred.make<void>();
        const mayEnd = yield* Deferred.make<void>();
        expect((yield* lock.tryLock)._tag).toBe("Free");
        const holder = yield* Effect.forkChild(
          lock.withLock(
            Effect.andThen(Deferred.succeed(isHeld, undefined), Deferred.await(mayEnd)),
          ),
        );
        yield* Deferred.await(isHeld);
        expect((yield* lock.tryLock)._tag).toBe("Held");
        yield* Deferred.succeed(mayEnd, undefined);
        yield* Fiber.join(holder);
        expect((yield* lock.tryLock)._tag).toBe("Free");
      }),
    );

    it.live("is held by an effect that would also run without it", () =>
      Effect.gen(function* () {
        const lock = open();
        const state = yield* lock.withLockIfAvailable(
          Effect.andThen(Effect.void, Effect.succeed("removed")),
          { onUnavailable: (error) => Effect.die(error) },
        );
        expect(state).toBe("removed");
      }),
    );
  });
};
