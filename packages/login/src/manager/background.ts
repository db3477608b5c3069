import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";

/**
 * Runs an endless effect until the scope closes. Its pauses do not keep the process alive: a program that does not close
 * its manager still ends.
 */
export const runInBackground = <R>(
  effect: Effect.Effect<unknown, never, R>,
): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.clockWith((clock) =>
    Effect.asVoid(
      Effect.forkScoped(
        clock === systemClock()
          ? Effect.provideService(effect, Clock.Clock, unreferenced(clock))
          : effect,
      ),
    ),
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
