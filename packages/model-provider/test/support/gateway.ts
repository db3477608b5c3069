import { once } from "node:events";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { AuthenticatedFetch } from "../../src/fetch/index.ts";

/** A loopback server that passes everything on through an authenticated fetch, for clients that bring no hook. */
export const startGateway = async (fetch: AuthenticatedFetch) => {
  const server = createServer((request, response) => {
    const pass = async (): Promise<void> => {
      const { host: _1, connection: _2, "content-length": _3, ...headers } = request.headers;
      const method = request.method ?? "GET";
      const answer = await fetch(`.${request.url}`, {
        method,
        headers: Object.entries(headers).map(([name, value]): [string, string] => [
          name,
          String(value),
        ]),
        ...(method === "GET" || method === "HEAD"
          ? {}
          : { body: Buffer.concat(await request.toArray()) }),
      });
      response.writeHead(answer.status, {
        "content-type": answer.headers.get("content-type") ?? "application/octet-stream",
      });
      if (answer.body === null) response.end();
      else await pipeline(Readable.fromWeb(answer.body), response);
    };
    pass().catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
};
