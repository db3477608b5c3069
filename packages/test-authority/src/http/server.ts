import { createServer as createHttpServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { ListenFailed } from "../errors.ts";
import type { makeListener } from "./listener.ts";
import type { Tls } from "./certificate.ts";

/** Returns a server that does not listen yet. A client that closes the connection early is not an error. */
export const makeServer = (
  listener: ReturnType<typeof makeListener>,
  tls: Tls | undefined,
): Server => {
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    listener(incoming, outgoing).catch(() => outgoing.destroy());
  };
  const server =
    tls === undefined ? createHttpServer(onRequest) : createHttpsServer({ ...tls }, onRequest);
  server.requestTimeout = 0;
  return server;
};

/**
 * Connections that may wait to be accepted; Node's default is 511. The system refuses those beyond it, so a test with
 * thousands of concurrent requests on a busy machine would fail. Linux has its own limit, usually 4096.
 */
const BACKLOG = 4_096;

/** Listens and returns the port. Rejects with `ListenFailed`. */
export const listen = (server: Server, host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(new ListenFailed({ host, port, reason: error.code ?? error.message })),
    );
    server.listen({ port, host, backlog: BACKLOG }, () => {
      const address: AddressInfo | string | null = server.address();
      if (address === null || typeof address === "string")
        reject(new ListenFailed({ host, port, reason: "no TCP address" }));
      else resolve(address.port);
    });
  });
