import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { MAX_MESSAGE_BYTES, openSession, type SessionHost } from "../rpc/session.ts";
import type { CheckAuthorization } from "./listener-auth.ts";
import {
  answerPlainRequest,
  type IsHostAllowed,
  type PlainResponse,
  rejectRequest,
  rejectUpgrade,
} from "./request-guard.ts";

export interface WebSocketServerOptions {
  readonly host: SessionHost;
  readonly isHostAllowed: IsHostAllowed;
  readonly checkAuthorization: CheckAuthorization;
  /** Whether the program at the other end may connect at all. Default: every program may. */
  readonly isPeerAllowed?: (socket: Socket) => boolean;
  /** Milliseconds between pings. A client that does not answer one before the next is disconnected. Default 30000. */
  readonly pingEveryMs?: number;
}

/** An HTTP server that opens WebSockets; the caller lets it listen. */
export interface RunningWebSocketServer {
  readonly server: Server;
  /** Closes the listener and all connections. A client that does not close its connection is cut off after 250 ms. */
  readonly stop: () => Promise<void>;
}

/** Clients at once; the next one gets 503. */
export const MAX_CLIENTS = 2048;

/** Connections that have not opened a WebSocket yet. The oldest is closed for a new one. */
const MAX_HANDSHAKES = 256;

const HANDSHAKE_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2_000;
const STOP_GRACE_MS = 250;

/** WebSockets over any HTTP server socket: one JSON-RPC message per text frame. Binary frames are ignored, as in Codex. */
export const makeWebSocketServer = (options: WebSocketServerOptions): RunningWebSocketServer => {
  const { checkAuthorization, host, isHostAllowed, isPeerAllowed = () => true } = options;
  const server = createServer({
    maxHeaderSize: 16 * 1024,
    headersTimeout: HANDSHAKE_TIMEOUT_MS,
    requestTimeout: HANDSHAKE_TIMEOUT_MS,
    keepAliveTimeout: 5_000,
    connectionsCheckingInterval: 5_000,
    noDelay: true,
  });
  const upgraderOptions = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    maxFragments: 1024,
    maxBufferedChunks: 4096,
    closeTimeout: CLOSE_TIMEOUT_MS,
    // A client may offer subprotocols; none is chosen, as in Codex.
    handleProtocols: () => false as const,
  };
  const upgrader = new WebSocketServer(upgraderOptions);
  const handshakes = new Set<Socket>();
  const clients = new Map<WebSocket, { isAlive: boolean }>();

  server.on("connection", (socket) => {
    // Node removes its own listener once a client asks for an upgrade; an error without a listener ends the process.
    socket.on("error", () => socket.destroy());
    if (!isPeerAllowed(socket)) return void socket.destroy();
    handshakes.add(socket);
    socket.once("close", () => handshakes.delete(socket));
    const [oldest] = handshakes;
    if (handshakes.size > MAX_HANDSHAKES) oldest?.destroy();
  });

  server.on("request", (request, response) =>
    respond(response, rejectRequest(request, isHostAllowed) ?? answerPlainRequest(request)),
  );

  const rejectionOf = (
    request: IncomingMessage,
  ): PlainResponse | undefined | Promise<PlainResponse | undefined> => {
    const rejection = rejectRequest(request, isHostAllowed) ?? rejectUpgrade(request);
    if (rejection !== undefined) return rejection;
    const refusal = checkAuthorization(request.headersDistinct["authorization"] ?? []);
    if (refusal instanceof Promise) return refusal.then(unauthorized);
    return unauthorized(refusal);
  };

  const upgrade = (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    upgrader.handleUpgrade(request, socket, head, (client) => {
      handshakes.delete(socket);
      accept(client, socket);
    });
  };

  server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const { socket } = request;
    const decide = (rejection: PlainResponse | undefined) => {
      if (stream.destroyed) return;
      if (rejection !== undefined) return refuse(stream, rejection);
      if (clients.size >= MAX_CLIENTS)
        return refuse(stream, { status: 503, body: "too many clients" });
      upgrade(request, socket, head);
    };
    const rejection = rejectionOf(request);
    if (rejection instanceof Promise) void rejection.then(decide);
    else decide(rejection);
  });

  const accept = (client: WebSocket, socket: Socket): void => {
    const state = { isAlive: true };
    clients.set(client, state);
    const session = openSession(
      {
        send: (text) => client.send(text),
        bufferedBytes: () => client.bufferedAmount,
        setPaused: (isPaused) => (isPaused ? client.pause() : client.resume()),
        abort: () => client.terminate(),
      },
      host,
    );
    client.on("message", (data, isBinary) => {
      state.isAlive = true;
      if (!isBinary && Buffer.isBuffer(data)) session.receive(data.toString());
    });
    client.on("pong", () => {
      state.isAlive = true;
    });
    // A message that is too long or not UTF-8: ws closes the connection with 1009 or 1007.
    client.on("error", () => {});
    client.once("close", () => {
      clients.delete(client);
      session.close();
    });
    socket.on("drain", session.drained);
  };

  const heartbeat = setInterval(() => {
    for (const [client, state] of clients) {
      if (!state.isAlive) {
        client.terminate();
        continue;
      }
      state.isAlive = false;
      client.ping();
    }
  }, options.pingEveryMs ?? 30_000);
  heartbeat.unref();

  return {
    server,
    stop: () =>
      new Promise((resolve) => {
        clearInterval(heartbeat);
        const cut = setTimeout(() => {
          for (const client of clients.keys()) client.terminate();
          server.closeAllConnections();
        }, STOP_GRACE_MS);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        for (const client of clients.keys()) client.close(1001);
        for (const socket of handshakes) socket.destroy();
      }),
  };
};

const unauthorized = (refusal: string | undefined): PlainResponse | undefined =>
  refusal === undefined ? undefined : { status: 401, body: refusal };

const headersOf = ({ allow, body }: PlainResponse): Record<string, string | number> => ({
  ...(allow !== undefined && { Allow: allow }),
  ...(body !== "" && { "Content-Type": "text/plain; charset=utf-8" }),
  "Content-Length": Buffer.byteLength(body),
  Connection: "close",
});

const respond = (response: ServerResponse, plain: PlainResponse): void => {
  response.writeHead(plain.status, headersOf(plain));
  response.end(plain.body);
};

/** Answers a request for an upgrade, for which Node makes no response, and closes the connection. */
const refuse = (stream: Duplex, plain: PlainResponse): void => {
  const head = [
    `HTTP/1.1 ${plain.status} ${STATUS_CODES[plain.status]}`,
    ...Object.entries(headersOf(plain)).map(([name, value]) => `${name}: ${value}`),
  ];
  stream.once("finish", () => stream.destroy());
  stream.end(`${head.join("\r\n")}\r\n\r\n${plain.body}`);
};
