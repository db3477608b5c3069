import { connect, createServer, type Socket } from "node:net";

/** The network between a host and the database: a TCP relay that can be cut and led elsewhere. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Until `reconnect`, nothing passes and no connection is refused, as if a cable were pulled. */
  readonly cut: () => void;
  readonly reconnect: () => void;
  /** Where new connections lead. */
  readonly leadTo: (port: number) => void;
}

export const startRelay = async (toPort: number): Promise<Relay> => {
  let target = toPort;
  let isCut = false;
  const sockets = new Set<Socket>();
  /** Connections that arrived while the network was cut. */
  let waiting: Array<() => void> = [];
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (inner) => {
    const begin = () => {
      if (inner.destroyed) return;
      const outer = connect({ port: target, host: "127.0.0.1", noDelay: true });
      for (const [one, other] of [
        [inner, outer],
        [outer, inner],
      ] as const) {
        sockets.add(one);
        one.on("data", (chunk) => {
          if (!other.write(chunk)) one.pause();
        });
        one.on("drain", () => isCut || other.resume());
        one.on("error", () => other.destroy());
        one.on("close", () => {
          sockets.delete(one);
          other.destroy();
        });
      }
      inner.resume();
    };
    inner.on("error", () => {});
    if (isCut) waiting.push(begin);
    else begin();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.pause();
    },
    reconnect: () => {
      isCut = false;
      for (const socket of sockets) socket.resume();
      for (const begin of waiting.splice(0)) begin();
      waiting = [];
    },
    leadTo: (port) => {
      target = port;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
