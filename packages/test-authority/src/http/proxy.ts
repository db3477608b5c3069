import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { listen } from "./server.ts";

/**
 * Starts an HTTP proxy on loopback. A tunnel (`CONNECT`, RFC 9110 §9.3.6) to one of the hosts ends at `target`; every
 * other request gets 502, so that nothing leaves this machine.
 */
export const startProxy = async (
  targetHost: string,
  targetPort: number,
  hosts: ReadonlyArray<string>,
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> => {
  const open = new Set<Socket>();
  const server = createServer((_incoming, outgoing) => {
    outgoing.writeHead(502).end("this proxy only opens tunnels");
  });
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  server.on("connect", (incoming, socket) => {
    socket.on("error", () => {});
    const host = incoming.url?.replace(/:\d+$/, "") ?? "";
    if (!hosts.includes(host)) {
      socket.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const onward = connect(targetPort, targetHost.replace(/^\[|\]$/g, ""), () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("close", () => onward.destroy());
  });
  const port = await listen(server, "127.0.0.1", 0);
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      if (!server.listening) return;
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, "close");
    },
  };
};
