import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect } from "node:net";

export interface TestProxy {
  readonly url: string;
  /** What passed: `GET http://host/…` or `CONNECT host:port`, with the proxy's own authorization. */
  readonly seen: ReadonlyArray<{ readonly what: string; readonly authorization?: string }>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** Names that only the proxy knows, as those of an inner network; each is this machine. */
const names: ReadonlySet<string> = new Set(["authority.test", "localhost."]);
const reach = (host = ""): string => (names.has(host) ? "127.0.0.1" : host);

/**
 * An HTTP proxy on loopback that forwards plain requests and opens tunnels. With `refuseWith`, it answers every request
 * with that status instead.
 */
export const startProxy = async (
  options: { readonly refuseWith?: number } = {},
): Promise<TestProxy> => {
  const { refuseWith } = options;
  const seen: Array<{ what: string; authorization?: string }> = [];
  const note = (incoming: IncomingMessage): void => {
    const authorization = incoming.headers["proxy-authorization"];
    const what = `${incoming.method} ${incoming.url}`;
    seen.push(authorization === undefined ? { what } : { what, authorization });
  };
  const server = createServer((incoming, answer) => {
    note(incoming);
    if (refuseWith !== undefined) return void answer.writeHead(refuseWith).end("refused");
    const url = new URL(incoming.url ?? "");
    const onward = request(
      {
        host: reach(url.hostname),
        port: url.port,
        path: url.pathname + url.search,
        method: incoming.method,
        headers: incoming.headers,
      },
      (back) => {
        answer.writeHead(back.statusCode ?? 502, back.headers);
        back.pipe(answer);
      },
    );
    incoming.pipe(onward);
  });
  server.on("connect", (incoming: IncomingMessage, socket) => {
    note(incoming);
    if (refuseWith !== undefined) {
      socket.end(`HTTP/1.1 ${refuseWith} Refused\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const [host, port] = (incoming.url ?? "").split(":");
    const onward = connect(Number(port), reach(host), () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    url: `127.0.0.1:${address.port}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
};
