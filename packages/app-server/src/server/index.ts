import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { boundPort } from "@agent-auth/agent-identity/http/bound-port";
import { peerUserId } from "@agent-auth/login/http/peer-user";
import { describeSystemError } from "@agent-auth/login/storage/fs";
import type * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { type ControlSocketInUse, ListenerWithoutAuth, ListenFailed } from "../errors/listener.ts";
import type { AccountConnection, ClientConnection } from "../rpc/connection.ts";
import { makeSessionHost } from "../rpc/session.ts";
import { hostAndPort, isLoopback } from "./listen-address.ts";
import { type ListenerAuth, makeCheckAuthorization } from "./listener-auth.ts";
import { makeIsHostAllowed } from "./request-guard.ts";

export {
  capabilityTokenFromFile,
  type ListenerAuth,
  sharedSecretFromFile,
} from "./listener-auth.ts";
export {
  hostAndPort,
  isLoopback,
  type ListenAddress,
  parseListenAddress,
} from "./listen-address.ts";
export { defaultSocketPath } from "./socket-path.ts";

/** Mounts the methods of a new connection, such as `(client) => handleAccountMethods(service, client)`. */
export type OpenConnection = (client: ClientConnection) => AccountConnection;

export interface StdioServerOptions {
  readonly open: OpenConnection;
  /** Default: the standard input of the process. */
  readonly input?: Readable;
  /** Default: the standard output of the process. */
  readonly output?: Writable;
}

/**
 * Serves one client on stdin and stdout, one JSON-RPC message per line, until the input ends. Requests in progress are
 * answered first; that takes at most 1.5 seconds. A line that is longer than 256 KiB or is not UTF-8 is skipped with a
 * warning. A client that leaves more than 1 MiB unread is no longer served.
 *
 * @example
 * ```ts
 * import { serveStdio } from "@agent-auth/app-server/server";
 * import * as Effect from "effect/Effect";
 * import { PassThrough, Readable } from "node:stream";
 *
 * const input = Readable.from([Buffer.from('{"id":1,"method":"ping"}\n')]);
 * const output = new PassThrough();
 * const open = () => ({
 *   handles: () => true,
 *   request: () => ({ result: "pong" }),
 *   notification: () => {},
 *   close: () => {},
 * });
 * await Effect.runPromise(serveStdio({ open, input, output }));
 * console.log(String(output.read())); // {"id":1,"result":"pong"}
 * ```
 */
export const serveStdio = Effect.fn("AppServer.serveStdio")(function* (
  options: StdioServerOptions,
): Effect.fn.Return<void> {
  const context = yield* Effect.context();
  const { serveLines } = yield* Effect.promise(() => import("./stdio.ts"));
  const warn = warnIn(context);
  yield* Effect.promise(() =>
    serveLines({
      host: makeSessionHost(options.open, warn),
      input: options.input ?? process.stdin,
      output: options.output ?? process.stdout,
      onSkipped: warn,
    }),
  );
});

export interface WebSocketListenerOptions {
  readonly open: OpenConnection;
  /** A numeric address. */
  readonly host: string;
  /** 0 selects any free port. */
  readonly port: number;
  /** How clients authenticate. `{ _tag: "None" }` is accepted on loopback addresses only. */
  readonly auth: ListenerAuth;
  /**
   * Whether programs of other users of this machine may connect without authentication. Default false: if the system
   * reports which user has connected (Linux), their connections are closed. Root may always connect.
   */
  readonly allowOtherUsers?: boolean;
  /**
   * Host names that are accepted in `Host`. On a loopback address, the names of the loopback interface are also
   * accepted. On any other address, its IP address is also accepted. Without this option, that listener accepts every
   * name.
   */
  readonly allowedHosts?: readonly string[];
  /** Milliseconds between pings. Default 30000. */
  readonly pingEveryMs?: number;
}

/**
 * Serves clients over WebSockets, one JSON-RPC message per text frame, until the scope closes. Returns the address.
 * `GET /readyz` and `GET /healthz` answer 200 without authentication. A request with an `Origin` header is refused, so web
 * pages cannot connect.
 *
 * @example
 * ```ts
 * import { listenOnWebSocket } from "@agent-auth/app-server/server";
 * import * as Effect from "effect/Effect";
 *
 * const open = () => ({
 *   handles: () => true,
 *   request: () => ({ result: "pong" }),
 *   notification: () => {},
 *   close: () => {},
 * });
 * const program = Effect.gen(function* () {
 *   const auth = { _tag: "None" } as const;
 *   const { address } = yield* listenOnWebSocket({ open, host: "127.0.0.1", port: 0, auth });
 *   const { status } = yield* Effect.promise(() => fetch(`http://${address}/readyz`));
 *   console.log(status); // 200
 * });
 * await Effect.runPromise(Effect.scoped(program));
 * ```
 */
export const listenOnWebSocket = Effect.fn("AppServer.listenOnWebSocket")(function* (
  options: WebSocketListenerOptions,
): Effect.fn.Return<
  { readonly address: string; readonly port: number },
  ListenFailed | ListenerWithoutAuth,
  Scope.Scope
> {
  const { allowOtherUsers = false, allowedHosts, auth, host, open, pingEveryMs, port } = options;
  if (auth._tag === "None" && !isLoopback(host))
    return yield* new ListenerWithoutAuth({ address: hostAndPort(host, port), isLoopback: false });
  const server = yield* webSocketServer({
    host: makeSessionHost(open, warnIn(yield* Effect.context())),
    isHostAllowed: makeIsHostAllowed(host, allowedHosts),
    checkAuthorization: makeCheckAuthorization(auth),
    ...(auth._tag === "None" && !allowOtherUsers && { isPeerAllowed: isOwnUser }),
    ...(pingEveryMs !== undefined && { pingEveryMs }),
  });
  yield* listening(server, { host, port });
  const bound = boundPort(server);
  return { address: hostAndPort(host, bound), port: bound };
});

export interface UnixSocketListenerOptions {
  readonly open: OpenConnection;
  readonly path: string;
  /** Default: none; only this user can open the socket. */
  readonly auth?: ListenerAuth;
  /** Milliseconds between pings. Default 30000. */
  readonly pingEveryMs?: number;
}

/**
 * Serves clients over WebSockets on a Unix socket, until the scope closes. The socket has mode 0600. If its folder does
 * not exist, it is created with mode 0700. Connections of other users, except root, are closed. A socket that a dead
 * server left behind is replaced. Returns the absolute path.
 *
 * @example
 * ```ts
 * import { listenOnUnixSocket } from "@agent-auth/app-server/server";
 * import * as Effect from "effect/Effect";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const path = join(mkdtempSync(join(tmpdir(), "app-server-")), "app.sock");
 * const open = () => ({
 *   handles: () => true,
 *   request: () => ({ result: "pong" }),
 *   notification: () => {},
 *   close: () => {},
 * });
 * const program = Effect.map(listenOnUnixSocket({ open, path }), (listening) => {
 *   console.log(listening.path === path); // true
 * });
 * await Effect.runPromise(Effect.scoped(program));
 * ```
 */
export const listenOnUnixSocket = Effect.fn("AppServer.listenOnUnixSocket")(function* (
  options: UnixSocketListenerOptions,
): Effect.fn.Return<{ readonly path: string }, ControlSocketInUse | ListenFailed, Scope.Scope> {
  const { auth = { _tag: "None" }, open, pingEveryMs } = options;
  const { bindUnixSocket } = yield* Effect.promise(() => import("./unix-socket.ts"));
  const { loadUnixPeerUser } = yield* Effect.promise(() => import("./unix-peer-user.ts"));
  const peerUser = yield* Effect.promise(loadUnixPeerUser);
  const ownUser = process.geteuid?.();
  const server = yield* webSocketServer({
    host: makeSessionHost(open, warnIn(yield* Effect.context())),
    isHostAllowed: () => true,
    checkAuthorization: makeCheckAuthorization(auth),
    isPeerAllowed: (socket) => {
      const user = peerUser(socket);
      return user === undefined || user === ownUser || user === 0;
    },
    ...(pingEveryMs !== undefined && { pingEveryMs }),
  });
  return { path: yield* bindUnixSocket(server, options.path) };
});

/** Whether a program of this user, or of root, opened a TCP connection; true if the system does not report the user. */
const isOwnUser = (socket: Socket): boolean => {
  const user = peerUserId(socket);
  return user === undefined || user === 0 || user === process.geteuid?.();
};

const warnIn =
  (context: Context.Context<never>) =>
  (message: string): void =>
    void Effect.runForkWith(context)(Effect.logWarning(message));

const webSocketServer = (
  options: Parameters<typeof import("./websocket-server.ts").makeWebSocketServer>[0],
) =>
  Effect.acquireRelease(
    Effect.promise(async () =>
      (await import("./websocket-server.ts")).makeWebSocketServer(options),
    ),
    ({ stop }) => Effect.promise(stop),
  ).pipe(Effect.map(({ server }) => server));

const listening = (
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
) =>
  Effect.callback<void, ListenFailed>((resume) => {
    const fail = (error: Error) =>
      resume(
        new ListenFailed({
          address: `ws://${hostAndPort(host, port)}`,
          reason: describeSystemError(error).reason,
        }),
      );
    server.once("error", fail);
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", fail);
      // A later connection that cannot be accepted must not end the process.
      server.on("error", () => {});
      resume(Effect.void);
    });
  });
