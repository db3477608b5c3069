import * as Effect from "effect/Effect";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { CliError } from "../errors/cli-error.ts";
import { isBun } from "../version.ts";
import { forward, type ForwardContext, sendError } from "./forward.ts";
import { answerHealthCheck } from "./health.ts";
import { listenOn } from "./listener.ts";
import {
  type ListenAddress,
  makeRequestGuard,
  methodNotAllowed,
  type Rejection,
} from "./request-guard.ts";
import { rejectUpgrade, upgrade } from "./upgrade.ts";
import { afterAnswer, asksForWebSocket, readAgain } from "./upgrade-offers.ts";

export interface ProxyServerOptions {
  readonly address: ListenAddress;
  /** Milliseconds that requests in progress get to finish when the proxy stops. */
  readonly graceMs: number;
  readonly context: ForwardContext;
  /** Rejects connections of other users. Absent: every local user may connect. */
  readonly peerGuard?: (socket: Socket) => Rejection | null;
  /** Rejects requests without the client token. Absent: no token is required. */
  readonly tokenGuard?: (request: IncomingMessage) => Rejection | null;
}

/** Maximum total size of request headers. Account headers and long tokens fit. */
const MAX_HEADER_BYTES = 64 * 1024;

/**
 * Maximum number of connections that have not sent an admitted request. Beyond it, the oldest is closed, so that a
 * program that may not use the proxy cannot use up its file descriptors. The limit is higher than the number of
 * connections that the system queues (511).
 */
const MAX_WAITING = 1024;

/**
 * Serves until its scope closes; then accepts no new request and gives those in progress time to finish. Returns the
 * address on which it listens.
 */
export const serveProxy = (options: ProxyServerOptions) =>
  Effect.acquireRelease(start(options), ({ server, sockets }) =>
    stop(server, sockets, options.graceMs),
  ).pipe(Effect.map(({ address }) => address));

interface Running {
  readonly server: Server;
  readonly sockets: ReadonlySet<Socket>;
  readonly address: ListenAddress;
}

const start = (options: ProxyServerOptions): Effect.Effect<Running, CliError> =>
  Effect.gen(function* () {
    const server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: 30_000,
      headersTimeout: 30_000,
      connectionsCheckingInterval: 5_000,
      requestTimeout: 0, // a body may stream for as long as the provider reads it
      // Bun parses no request on a connection that is handed back to it, as `readAgain` does.
      ...(isBun && { shouldUpgradeCallback: asksForWebSocket }),
    });
    // Older Node versions drop headers above a maximum number. The guard must see all headers.
    server.maxHeadersCount = 0;
    const sockets = new Set<Socket>();
    const waiting = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      if (sockets.has(socket)) return; // a request on this connection is parsed a second time
      sockets.add(socket);
      waiting.add(socket);
      const [oldest] = waiting;
      if (waiting.size > MAX_WAITING) oldest?.destroy();
      socket.setNoDelay(true);
      // Node removes its own listener once a client asks for an upgrade; an error without a listener ends the process.
      socket.on("error", () => socket.destroy());
      socket.once("close", () => {
        sockets.delete(socket);
        waiting.delete(socket);
      });
    });
    const address = yield* listenOn(server, options.address);
    const admitted = (socket: Socket) => void waiting.delete(socket);
    handleRequests(server, options, { requestGuard: makeRequestGuard(address), admitted });
    return { server, sockets, address };
  });

const handleRequests = (
  server: Server,
  { context, peerGuard, tokenGuard }: ProxyServerOptions,
  {
    admitted,
    requestGuard,
  }: {
    /** Called for each request that is not rejected. */
    readonly admitted: (socket: Socket) => void;
    readonly requestGuard: (request: IncomingMessage) => Rejection | null;
  },
) => {
  const log = (request: IncomingMessage, { status, code }: Rejection, bytes = 0) =>
    context.done({ request, status, bytes, startedAtMs: Date.now(), note: code });
  const rejectionOf = (request: IncomingMessage): Rejection | null =>
    peerGuard?.(request.socket) ?? requestGuard(request);
  const lastResponses = new WeakMap<Duplex, ServerResponse>();
  server.on("request", (request, response) => {
    lastResponses.set(request.socket, response);
    response.once("close", () => setImmediate(() => closeIdleOnceStopped(server)));
    const early = rejectionOf(request);
    if (early === null && answerHealthCheck(context, request, response)) return;
    const rejection = early ?? tokenGuard?.(request) ?? null;
    if (rejection === null) {
      admitted(request.socket);
      return forward(context, request, response);
    }
    log(request, rejection, sendError(response, rejection, rejection.status));
  });
  server.on("upgrade", (request, socket, head) =>
    afterAnswer(lastResponses.get(socket), request.socket, head, (read) => {
      if (!asksForWebSocket(request)) return readAgain(server, request, socket, read);
      const rejection = rejectionOf(request) ?? tokenGuard?.(request) ?? null;
      if (rejection === null) {
        admitted(request.socket);
        return void upgrade(context, request, socket, read);
      }
      rejectUpgrade(socket, rejection.status, "Rejected");
      log(request, rejection);
    }),
  );
  server.on("connect", (request, socket) => {
    rejectUpgrade(socket, methodNotAllowed.status, "Rejected");
    log(request, methodNotAllowed);
  });
};

/** A client that keeps its connection open would otherwise keep a stopped server running. */
const closeIdleOnceStopped = (server: Server) => {
  if (!server.listening) server.closeIdleConnections();
};

/** Closes idle connections at once, others when their response is complete or the grace period is over. */
const stop = (server: Server, sockets: ReadonlySet<Socket>, graceMs: number) =>
  Effect.callback<void>((resume) => {
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    server.close(() => {
      clearTimeout(cut);
      resume(Effect.void);
    });
    server.closeIdleConnections();
  });
