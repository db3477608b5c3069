import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";

/**
 * Runs an endless effect until the scope closes. Its pauses do not keep the process alive: a program that does not close
 * its manager still ends.
 *
 * @example
 * ```ts
 * import { runInBackground } from "@agent-auth/login/manager/background";
 * import * as Effect from "effect/Effect";
 *
 * const look = Effect.forever(Effect.delay(Effect.log("looks at the store"), 60_000));
 * await Effect.runPromise(Effect.scoped(runInBackground(look)));
 * ```
 */
export const runInBackground = <R>(
  effect: Effect.Effect<unknown, never, R>,
): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.asVoid(Effect.forkScoped(withoutKeepingAlive(effect)));

/**
 * Runs an effect whose pauses do not keep the process alive. A clock that a test provides stays.
 *
 * @example
 * ```ts
 * import { withoutKeepingAlive } from "@agent-auth/login/manager/background";
 * import * as Effect from "effect/Effect";
 *
 * Effect.runFork(withoutKeepingAlive(Effect.sleep(60_000))); // the process ends before
 * ```
 */
export const withoutKeepingAlive = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) =>
    clock === systemClock()
      ? Effect.provideService(effect, Clock.Clock, unreferenced(clock))
      : effect,
  );

const systemClock = (): Clock.Clock => Context.get(Context.empty(), Clock.Clock);

const MAX_TIMER_MS = 2 ** 31 - 1;

const unreferenced = (clock: Clock.Clock): Clock.Clock =>
  Object.assign(Object.create(clock), {
    sleep: (duration: Duration.Duration) =>
      Effect.callback<void>((resume) => {
        const ms = Math.min(Duration.toMillis(duration), MAX_TIMER_MS);
        const timer = setTimeout(() => resume(Effect.void), ms).unref();
        return Effect.sync(() => clearTimeout(timer));
      }),
  });
