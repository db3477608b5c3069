import type { Socket } from "node:net";
import type { buildConnector } from "undici";

type Connector = buildConnector.connector;

/**
 * Returns undici's connector for an `Agent`, on whose connections a response is read although the server has closed the
 * connection while the request's body was still being sent (RFC 9112 §9.6), as with an early 401 or 413.
 *
 * @example
 * ```ts
 * import { earlyResponseConnector } from "@agent-auth/login/http";
 * import * as undici from "undici";
 *
 * const agent = new undici.Agent({ connect: earlyResponseConnector(undici, {}) });
 * await agent.close();
 * ```
 */
export const earlyResponseConnector = (
  undici: Pick<typeof import("undici"), "buildConnector">,
  options: buildConnector.BuildOptions,
): Connector => {
  const connect = readingEarlyResponses(undici.buildConnector(options));
  const connectHttp1 = readingEarlyResponses(undici.buildConnector({ ...options, allowH2: false }));
  // A WebSocket's connection must not negotiate HTTP/2. undici passes that setting to each call, but its own connectors
  // ignore it.
  return (to, callback) =>
    (Reflect.get(to, "allowH2") === false ? connectHttp1 : connect)(to, callback);
};

/** Wraps a connector as `earlyResponseConnector` does. */
export const readingEarlyResponses =
  (connect: Connector): Connector =>
  (to, callback) =>
    connect(to, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      delayWriteErrors(socket);
      callback(null, socket);
    });

/** Milliseconds for which the end of a response is awaited after a failed write. */
const longestDelayMs = 1000;

/**
 * Delays the error of a write that failed because the server closed the connection, until everything that the server
 * had sent has been read. Without the delay, the error destroys the socket, and the response in its receive buffer is
 * lost.
 */
const delayWriteErrors = (socket: Socket): void => {
  type Done = (error?: Error | null) => void;
  const delayed =
    (done: Done): Done =>
    (error) => {
      if (!isClosedByServer(error) || socket.readableEnded || socket.destroyed) return done(error);
      const report = () => {
        clearTimeout(timer);
        socket.off("end", report);
        socket.off("close", report);
        done(error);
      };
      const timer = setTimeout(report, longestDelayMs);
      socket.once("end", report);
      socket.once("close", report);
    };
  const write = socket._write.bind(socket);
  socket._write = (chunk, encoding, done) => write(chunk, encoding, delayed(done));
  const writev = socket._writev?.bind(socket);
  if (writev !== undefined) socket._writev = (chunks, done) => writev(chunks, delayed(done));
};

const isClosedByServer = (error: Error | null | undefined): boolean =>
  error instanceof Error &&
  "code" in error &&
  (error.code === "EPIPE" || error.code === "ECONNRESET");
