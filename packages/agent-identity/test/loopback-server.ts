import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { text } from "node:stream/consumers";
import * as Effect from "effect/Effect";

/** A received request. */
export interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

const listen = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("no port"));
      else resolve(address.port);
    });
  });

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

/** A loopback server for the life of the scope; it reads each request completely before `handle` responds. */
export const loopbackServer = Effect.fnUntraced(function* (
  handle: (arrived: Arrived, ...rest: Parameters<RequestListener>) => void,
) {
  const arrived: Array<Arrived> = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method = "", url: path = "", headers } = request;
      const whole = { method, path, headers, body };
      arrived.push(whole);
      return handle(whole, request, response);
    });
  });
  const port = yield* Effect.acquireRelease(
    Effect.promise(() => listen(server)),
    () => Effect.promise(() => close(server)),
  );
  return { url: `http://127.0.0.1:${port}`, port, arrived };
});
