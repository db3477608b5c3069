import { createServer } from "node:http";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import type { CallbackPortsTaken } from "../../errors/oauth.ts";
import { CallbackHandler, type CallbackHandlerOptions } from "./handler.ts";
import { listenOn, listenOnFirst } from "./port.ts";

export interface CallbackServerOptions extends CallbackHandlerOptions {
  /** Ports to try, in order; 0 means any free one. */
  readonly ports: ReadonlyArray<number>;
  /** Milliseconds that the holder of the first port gets to let go of it. */
  readonly patienceMs: number;
}

/** The loopback end of a browser sign-in (RFC 8252 §7.3). */
export interface CallbackServer {
  readonly redirectUri: string;
  readonly desk: CallbackHandler;
}

/** Against slow or huge requests; a callback is one small request. */
const limits = { headersTimeout: 10_000, requestTimeout: 10_000, maxHeaderSize: 32_768 };

/**
 * Listens on 127.0.0.1 until the scope closes; then what is being answered is finished, and the port is free again.
 * Fails with `CallbackPortsTaken`.
 */
export const openCallbackServer = Effect.fnUntraced(function* (
  options: CallbackServerOptions,
): Effect.fn.Return<CallbackServer, CallbackPortsTaken, Scope.Scope> {
  const desk = new CallbackHandler(options);
  const listen = (port: number) =>
    Effect.acquireRelease(
      listenOn(
        createServer(limits, (request, response) => desk.receive(request, response)),
        port,
      ),
      (server) => Effect.promise(() => desk.close(server)),
      { interruptible: true },
    );
  const server = yield* listenOnFirst(options.ports, options.patienceMs, listen);
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { redirectUri: `http://127.0.0.1:${port}/auth/callback`, desk };
});
