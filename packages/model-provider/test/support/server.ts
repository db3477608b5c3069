import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import { createServer as createSocketServer, type Socket } from "node:net";

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Respond = (
  request: Seen,
  response: ServerResponse,
  count: number,
) => void | Promise<void>;

/** A server on loopback that records requests and sends given responses. */
export const startServer = async (respond: Respond) => {
  const seen: Array<Seen> = [];
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one = {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      seen.push(one);
      void respond(one, response, seen.length);
    });
  });
  // On a slow machine, connections would be closed while clients use them, or refused while many are opened.
  server.keepAliveTimeout = 0;
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
};

/** A server without an HTTP implementation: `converse` gets each socket with its first bytes read. */
export const startSocketServer = async (converse: (socket: Socket) => Promise<void>) => {
  const sockets = new Set<Socket>();
  const server = createSocketServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}); // The client may hang up.
    socket.once("data", () => void converse(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
};

export const answer = (
  response: ServerResponse,
  status: number,
  body = "",
  headers: Readonly<Record<string, string>> = {},
): void => {
  response.writeHead(status, headers).end(body);
};
