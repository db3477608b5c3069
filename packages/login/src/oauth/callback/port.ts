import { get, type Server } from "node:http";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { CallbackPortsTaken } from "../../errors/oauth.ts";

const RETRY_EVERY_MS = 200;
const CANCEL_TIMEOUT_MS = 1_000;

/** A port that could not be had: another program listens there, or the system reserves it. */
type Taken = { readonly _tag: "Taken" };

/**
 * Listens on 127.0.0.1, on the first of `ports` that is free, until the scope closes. Whoever holds the first one is
 * asked once to `/cancel` (other sign-ins of this kind then let go), and gets `patienceMs` to do so.
 */
export const listenOnFirst = Effect.fnUntraced(function* (
  ports: ReadonlyArray<number>,
  patienceMs: number,
  listen: (port: number) => Effect.Effect<Server, Taken, Scope.Scope>,
): Effect.fn.Return<Server, CallbackPortsTaken, Scope.Scope> {
  for (const [index, port] of ports.entries()) {
    const first = yield* Effect.option(listen(port));
    if (first._tag === "Some") return first.value;
    if (index > 0) continue;
    yield* askToCancel(port);
    for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += RETRY_EVERY_MS) {
      yield* Effect.sleep(RETRY_EVERY_MS);
      const again = yield* Effect.option(listen(port));
      if (again._tag === "Some") return again.value;
    }
  }
  return yield* new CallbackPortsTaken({ ports });
});

/** One attempt to listen. Interrupting it closes the server. */
export const listenOn = (server: Server, port: number): Effect.Effect<Server, Taken> =>
  Effect.callback<Server, Taken>((resume) => {
    server.once("error", () => resume(Effect.fail({ _tag: "Taken" })));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () =>
      resume(Effect.succeed(server)),
    );
    return Effect.sync(() => server.close());
  });

/** Asks the holder of a port to give up its sign-in. Whatever it answers, and whether it does, is all the same. */
const askToCancel = (port: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const done = () => resume(Effect.void);
    const request = get(
      { host: "127.0.0.1", port, path: "/cancel", agent: false, timeout: CANCEL_TIMEOUT_MS },
      (response) => response.resume().once("close", done),
    );
    request.once("timeout", () => request.destroy());
    request.once("error", done);
    request.once("close", done);
    return Effect.sync(() => request.destroy());
  });
