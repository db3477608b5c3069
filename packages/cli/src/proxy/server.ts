import * as Effect from "effect/Effect";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { CliError } from "../errors/cli-error.ts";
import { exchange, type ExchangeTools, refuse } from "./exchange.ts";
import { makeGuard, methodRefused, type Refusal } from "./guard.ts";
import { afterAnswer, asksForWebSocket, readAgain } from "./other-protocols.ts";
import { turnAway, upgrade } from "./upgrade.ts";

export interface ProxyServerOptions {
  /** 0: any free port. */
  readonly port: number;
  /** Milliseconds that requests under way get to finish when the proxy stops. */
  readonly graceMs: number;
  readonly tools: ExchangeTools;
}

/** Headers of a request may be this large in all: account headers and long tokens fit, floods do not. */
const MAX_HEADER_BYTES = 64 * 1024;

/**
 * Listens on 127.0.0.1 until its scope ends; then takes no new request, and gives those under way time to finish.
 *
 * @returns the port
 */
export const listen = (options: ProxyServerOptions) =>
  Effect.acquireRelease(start(options), ({ server, sockets }) =>
    stop(server, sockets, options.graceMs),
  ).pipe(Effect.map(({ port }) => port));

const start = ({ port, tools }: ProxyServerOptions) =>
  Effect.callback<Running, CliError>((resume) => {
    const server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: 30_000,
      headersTimeout: 60_000,
      requestTimeout: 0, // a body streams for as long as the provider takes it
    });
    // Older Nodes leave out what is above a number: what the guard does not see must not be there.
    server.maxHeadersCount = 0;
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      if (sockets.has(socket)) return; // a request of it is read again
      sockets.add(socket);
      socket.setNoDelay(true);
      // Node stops listening once a client asks for an upgrade, and an error that nobody hears ends the process.
      socket.on("error", () => socket.destroy());
      socket.once("close", () => sockets.delete(socket));
    });
    // Also later, where a connection cannot be taken: no reason to end, and too late to fail.
    server.on("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(portTrouble(port, error))),
    );
    server.listen(port, "127.0.0.1", () => {
      const bound = boundPort(server);
      serve(server, tools, makeGuard(bound));
      resume(Effect.succeed({ server, sockets, port: bound }));
    });
  });

interface Running {
  readonly server: Server;
  readonly sockets: ReadonlySet<Socket>;
  readonly port: number;
}

const serve = (server: Server, tools: ExchangeTools, guard: ReturnType<typeof makeGuard>) => {
  const report = (request: Parameters<typeof guard>[0], refusal: Refusal, bytes = 0) =>
    tools.done({
      request,
      status: refusal.status,
      bytes,
      startedAtMs: Date.now(),
      note: refusal.code,
    });
  const lastAnswers = new WeakMap<Duplex, ServerResponse>();
  server.on("request", (request, response) => {
    lastAnswers.set(request.socket, response);
    response.once("close", () => setImmediate(() => closeIdleOnceStopped(server)));
    const refusal = guard(request);
    if (refusal === null) return exchange(tools, request, response);
    report(request, refusal, refuse(response, refusal, refusal.status));
  });
  server.on("upgrade", (request, socket, head) =>
    afterAnswer(lastAnswers.get(socket), request.socket, head, (read) => {
      if (!asksForWebSocket(request)) return readAgain(server, request, socket, read);
      const refusal = guard(request);
      if (refusal === null) return void upgrade(tools, request, socket, read);
      turnAway(socket, refusal.status, "Refused");
      report(request, refusal);
    }),
  );
  server.on("connect", (request, socket) => {
    turnAway(socket, methodRefused.status, "Refused");
    report(request, methodRefused);
  });
};

/** A client that keeps its connection would keep a stopped server, too. */
const closeIdleOnceStopped = (server: Server) => {
  if (!server.listening) server.closeIdleConnections();
};

/** Idle connections close at once, busy ones when their answer is out or the grace is over. */
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

const boundPort = (server: Server): number => {
  const address: AddressInfo | string | null = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

const portTrouble = (port: number, error: NodeJS.ErrnoException) =>
  new CliError({
    code: "CLI_PORT",
    message: `cannot listen on 127.0.0.1:${port} (${error.code ?? error.name})`,
    hint: "Choose another port with --port, or leave it out for any free one.",
  });
