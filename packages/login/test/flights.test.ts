import { describe, expect, it } from "@effect/vitest";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Scope from "effect/Scope";
import { makeFlights } from "../src/manager/single-flight.ts";

describe("Flights.join", () => {
  it.effect(
    "runs the work of a key once for all who come meanwhile, and again for those who come later",
    () =>
      Effect.gen(function* () {
        const flights = yield* makeFlights<number, never>();
        let runs = 0;
        const gate = yield* Deferred.make<void>();
        const work = Effect.andThen(
          Deferred.await(gate),
          Effect.sync(() => ++runs),
        );
        const first = yield* Effect.forkChild(
          Effect.all([flights.join("a", work), flights.join("a", work)], { concurrency: 2 }),
          { startImmediately: true },
        );
        yield* Deferred.succeed(gate, undefined);
        expect(yield* Fiber.join(first)).toEqual([1, 1]);
        expect(yield* flights.join("a", work)).toBe(2);
      }),
  );

  it.effect("tells a failure to all who waited, and does not remember it", () =>
    Effect.gen(function* () {
      const flights = yield* makeFlights<string, string>();
      const failing = Effect.andThen(Effect.yieldNow, Effect.fail("broken"));
      const both = yield* Effect.all(
        [Effect.flip(flights.join("a", failing)), Effect.flip(flights.join("a", failing))],
        { concurrency: 2 },
      );
      expect(both).toEqual(["broken", "broken"]);
      expect(yield* flights.join("a", Effect.succeed("mended"))).toBe("mended");
    }),
  );

  it.effect("goes on when the caller who started it is interrupted", () =>
    Effect.gen(function* () {
      const flights = yield* makeFlights<string, never>();
      const gate = yield* Deferred.make<void>();
      const work = Effect.as(Deferred.await(gate), "landed");
      const starter = yield* Effect.forkChild(flights.join("a", work), { startImmediately: true });
      const other = yield* Effect.forkChild(flights.join("a", work), { startImmediately: true });
      yield* Fiber.interrupt(starter);
      yield* Deferred.succeed(gate, undefined);
      expect(yield* Fiber.join(other)).toBe("landed");
    }),
  );

  it.effect("ends with its scope, after what may not be interrupted", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make();
      const flights = yield* Scope.provide(makeFlights<string, never>(), scope);
      const gate = yield* Deferred.make<void>();
      let isSaved = false;
      const save = Effect.andThen(
        Deferred.await(gate),
        Effect.sync(() => {
          isSaved = true;
        }),
      );
      const work = Effect.as(Effect.uninterruptible(save), "done");
      yield* Effect.forkChild(flights.join("a", work), { startImmediately: true });
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), {
        startImmediately: true,
      });
      expect(isSaved).toBe(false);
      yield* Deferred.succeed(gate, undefined);
      yield* Fiber.join(closing);
      expect(isSaved).toBe(true);
      expect(
        Exit.hasInterrupts(yield* Effect.exit(flights.join("a", Effect.succeed("late")))),
      ).toBe(true);
    }),
  );
});
