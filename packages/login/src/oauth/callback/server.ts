import { createServer, get, type Server, type ServerOptions } from "node:http";
import { boundPort } from "@agent-auth/agent-identity/http/bound-port";
import * as Effect from "effect/Effect";
import * as Schedule from "effect/Schedule";
import type * as Scope from "effect/Scope";
import { CallbackPortsTaken } from "../../errors/oauth.ts";
import { CallbackHandler, type CallbackHandlerOptions } from "./handler.ts";

export interface CallbackServerOptions extends CallbackHandlerOptions {
  /** Ports to try, in order; 0 means any free one. */
  readonly ports: ReadonlyArray<number>;
  /** Milliseconds to wait for another sign-in to release the first port. */
  readonly portRetryMs: number;
  readonly limits?: CallbackServerLimits;
}

/** What a client of the callback server may use. Times in milliseconds. */
export interface CallbackServerLimits {
  readonly requestTimeoutMs: number;
  readonly maxConnections: number;
}

/** The loopback redirect endpoint of a browser sign-in (RFC 8252 §7.3). */
export interface CallbackServer {
  readonly redirectUri: string;
  readonly handler: CallbackHandler;
}

/** A browser opens few connections and sends small requests without delay. Connections beyond the limits are closed. */
const defaultLimits: CallbackServerLimits = { requestTimeoutMs: 5_000, maxConnections: 64 };

/**
 * Listens on 127.0.0.1, on the first of `ports` that is free, until the scope closes. Then responses in progress are
 * finished, and the port is free again. Fails with `CallbackPortsTaken`.
 *
 * If the first port is taken, the program that holds it is asked once to cancel its sign-in. Other sign-ins of this
 * kind then release the port.
 */
export const openCallbackServer = Effect.fnUntraced(function* (
  options: CallbackServerOptions,
): Effect.fn.Return<CallbackServer, CallbackPortsTaken, Scope.Scope> {
  const handler = new CallbackHandler(options);
  const limits = options.limits ?? defaultLimits;
  const listen = (port: number) =>
    Effect.acquireRelease(
      Effect.suspend(() => listenOn(makeServer(handler, limits), port)),
      (server) => Effect.promise(() => handler.close(server)),
      { interruptible: true },
    );
  const server = yield* listenOnFirst(options.ports, options.portRetryMs, listen);
  return { redirectUri: `http://127.0.0.1:${boundPort(server)}/auth/callback`, handler };
});

const makeServer = (handler: CallbackHandler, limits: CallbackServerLimits): Server => {
  const { maxConnections, requestTimeoutMs } = limits;
  const options: ServerOptions = {
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.ceil(requestTimeoutMs / 5),
    maxHeaderSize: 32_768,
  };
  const server = createServer(options, (request, response) => handler.handle(request, response));
  server.maxConnections = maxConnections;
  return server;
};

const portRetryIntervalMs = 200;
const cancelRequestTimeoutMs = 1_000;

/** The port cannot be used: another program listens on it, or the system reserves it. */
type PortTaken = { readonly _tag: "PortTaken" };

const listenOnFirst = Effect.fnUntraced(function* (
  ports: ReadonlyArray<number>,
  portRetryMs: number,
  listen: (port: number) => Effect.Effect<Server, PortTaken, Scope.Scope>,
): Effect.fn.Return<Server, CallbackPortsTaken, Scope.Scope> {
  const [first = 0, ...others] = ports;
  const retried = Effect.retry(listen(first), {
    schedule: Schedule.spaced(portRetryIntervalMs),
    times: Math.ceil(portRetryMs / portRetryIntervalMs),
  });
  const attempts = [
    listen(first),
    Effect.andThen(requestCancellation(first), retried),
    ...others.map(listen),
  ];
  return yield* Effect.firstSuccessOf(attempts).pipe(
    Effect.mapError(() => new CallbackPortsTaken({ ports })),
  );
});

/** One attempt to listen. Interrupting it closes the server. */
const listenOn = (server: Server, port: number): Effect.Effect<Server, PortTaken> =>
  Effect.callback<Server, PortTaken>((resume) => {
    server.once("error", () => resume(Effect.fail({ _tag: "PortTaken" })));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () =>
      resume(Effect.succeed(server)),
    );
    return Effect.sync(() => server.close());
  });

/** Asks the program on a port to cancel its sign-in. The response is ignored. */
const requestCancellation = (port: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const done = () => resume(Effect.void);
    const request = get(
      { host: "127.0.0.1", port, path: "/cancel", agent: false, timeout: cancelRequestTimeoutMs },
      (response) => response.resume().once("close", done),
    );
    request.once("timeout", () => request.destroy());
    request.once("error", done);
    request.once("close", done);
    return Effect.sync(() => request.destroy());
  });
