import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
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
  /** Milliseconds for the HTTP request that opens a WebSocket. Default 10000. */
  readonly handshakeTimeoutMs?: number;
}

/** An HTTP server that opens WebSockets; the caller lets it listen. */
export interface RunningWebSocketServer {
  readonly server: Server;
  /** Closes the listener and all connections. A client that does not close its connection is cut off after 250 ms. */
  readonly stop: () => Promise<void>;
}

/** Concurrent clients; the next one gets 503. */
export const MAX_CLIENTS = 2048;

/** Connections that have not opened a WebSocket yet. The oldest is closed for a new one. */
const MAX_HANDSHAKES = 256;

/**
 * How long a client may take for the HTTP request that opens its WebSocket. A working network needs less than a second.
 */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** How long a client may take to answer a close frame. */
const CLOSE_TIMEOUT_MS = 2_000;
const STOP_GRACE_MS = 250;
/** Proxies close connections that are idle for a minute, and a client that has gone is noticed within two pings. */
const PING_EVERY_MS = 30_000;

const httpOptions = (handshakeTimeoutMs: number): ServerOptions => ({
  maxHeaderSize: 16 * 1024,
  headersTimeout: handshakeTimeoutMs,
  requestTimeout: handshakeTimeoutMs,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: handshakeTimeoutMs / 2,
  noDelay: true,
});

const webSocketOptions = {
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

/**
 * Returns an HTTP server that opens WebSockets: one JSON-RPC message per text frame. Binary frames are ignored, as in Codex.
 */
export const makeWebSocketServer = (options: WebSocketServerOptions): RunningWebSocketServer =>
  new ClientServer(options);

class ClientServer implements RunningWebSocketServer {
  readonly server: Server;
  readonly #upgrader = new WebSocketServer(webSocketOptions);
  readonly #options: WebSocketServerOptions;
  readonly #handshakes = new Set<Socket>();
  readonly #clients = new Map<WebSocket, { isAlive: boolean }>();
  readonly #heartbeat: NodeJS.Timeout;

  constructor(options: WebSocketServerOptions) {
    this.#options = options;
    this.server = createServer(httpOptions(options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS));
    this.server.on("connection", (socket) => this.#greet(socket));
    this.server.on("request", (request, response) =>
      respond(
        response,
        rejectRequest(request, options.isHostAllowed) ?? answerPlainRequest(request),
      ),
    );
    this.server.on("upgrade", (request, stream, head) => this.#upgrade(request, stream, head));
    this.#heartbeat = setInterval(() => this.#ping(), options.pingEveryMs ?? PING_EVERY_MS);
    this.#heartbeat.unref();
  }

  readonly stop = (): Promise<void> =>
    new Promise((resolve) => {
      clearInterval(this.#heartbeat);
      const cut = setTimeout(() => {
        for (const client of this.#clients.keys()) client.terminate();
        this.server.closeAllConnections();
      }, STOP_GRACE_MS);
      this.server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      for (const client of this.#clients.keys()) client.close(1001);
      for (const socket of this.#handshakes) socket.destroy();
    });

  #greet(socket: Socket): void {
    // Node removes its own listener once a client asks for an upgrade; an error without a listener ends the process.
    socket.on("error", () => socket.destroy());
    if (this.#options.isPeerAllowed?.(socket) === false) return void socket.destroy();
    this.#handshakes.add(socket);
    socket.once("close", () => this.#handshakes.delete(socket));
    const [oldest] = this.#handshakes;
    if (this.#handshakes.size > MAX_HANDSHAKES) oldest?.destroy();
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const { socket } = request;
    const decide = (rejection: PlainResponse | undefined) => {
      if (stream.destroyed) return;
      if (rejection !== undefined) return refuse(stream, rejection);
      if (this.#clients.size >= MAX_CLIENTS)
        return refuse(stream, { status: 503, body: "too many clients" });
      this.#upgrader.handleUpgrade(request, socket, head, (client) => {
        this.#handshakes.delete(socket);
        this.#accept(client, socket);
      });
    };
    const rejection = this.#rejectionOf(request);
    if (rejection instanceof Promise) void rejection.then(decide);
    else decide(rejection);
  }

  #rejectionOf(
    request: IncomingMessage,
  ): PlainResponse | undefined | Promise<PlainResponse | undefined> {
    const { checkAuthorization, isHostAllowed } = this.#options;
    const rejection = rejectRequest(request, isHostAllowed) ?? rejectUpgrade(request);
    if (rejection !== undefined) return rejection;
    const refusal = checkAuthorization(request.headersDistinct["authorization"] ?? []);
    return refusal instanceof Promise ? refusal.then(unauthorized) : unauthorized(refusal);
  }

  #accept(client: WebSocket, socket: Socket): void {
    const state = { isAlive: true };
    this.#clients.set(client, state);
    const session = openSession(
      {
        send: (text) => client.send(text),
        bufferedBytes: () => client.bufferedAmount,
        setPaused: (isPaused) => (isPaused ? client.pause() : client.resume()),
        abort: () => client.terminate(),
      },
      this.#options.host,
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
      this.#clients.delete(client);
      session.close();
    });
    socket.on("drain", session.drained);
  }

  /** Disconnects the clients that have sent nothing since the last ping, and pings the others. */
  #ping(): void {
    for (const [client, state] of this.#clients) {
      if (!state.isAlive) {
        client.terminate();
        continue;
      }
      state.isAlive = false;
      client.ping();
    }
  }
}

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
