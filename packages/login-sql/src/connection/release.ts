import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";

/** A connection that does not close within this time is left to the server. */
const MAX_MS = 10_000;

/**
 * Acquires something whose release keeps the process alive until it ends. Sockets do not keep it alive, so without this the
 * process would end while `close()` waits for the server's response.
 */
export const keepAliveToRelease = <A, E, R>(
  acquire: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.suspend(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = Effect.sync(() => clearTimeout(timer));
    const start = Effect.sync(() => {
      timer = setTimeout(() => {}, MAX_MS);
    });
    // The last finalizer runs first.
    return Effect.addFinalizer(() => stop).pipe(
      Effect.andThen(acquire),
      Effect.tap(() => Effect.addFinalizer(() => start)),
    );
  });
