import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { hasNoBody } from "./replayable-body.ts";

/**
 * Whether a request asks for a WebSocket (RFC 6455 §4.1). Offers of any other protocol are ignored (RFC 9110 §7.8):
 * curl and Java's client send `Upgrade: h2c` with every first request, which must be answered like any other.
 */
export const asksForWebSocket = (request: IncomingMessage): boolean =>
  request.method === "GET" &&
  hasNoBody(request) &&
  words(request.headers.upgrade ?? "").includes("websocket");

/** Bytes that a client may send after an upgrade request that has to wait. */
const MAX_AHEAD_BYTES = 64 * 1024;

/**
 * Calls `proceed` once the earlier requests of the connection are answered: an upgrade takes over the connection. Node no
 * longer watches the connection by then, so a disconnect in the meantime ends the earlier response here.
 */
export const afterAnswer = (
  earlier: ServerResponse | undefined,
  socket: Socket,
  head: Buffer,
  proceed: (read: Buffer) => void,
): void => {
  if (earlier === undefined || earlier.closed) return proceed(head);
  let read = head;
  const keep = (chunk: Buffer) => {
    read = Buffer.concat([read, chunk]);
    if (read.byteLength > MAX_AHEAD_BYTES) socket.pause();
  };
  const leave = () => {
    socket.destroy();
    earlier.destroy();
  };
  const ends = ["end", "error", "close"] as const;
  socket.on("data", keep);
  for (const end of ends) socket.on(end, leave);
  earlier.once("close", () => {
    socket.pause();
    socket.off("data", keep);
    for (const end of ends) socket.off(end, leave);
    socket.setTimeout(0); // set by Node for an idle connection
    if (!socket.destroyed) proceed(read);
  });
};

/**
 * Lets the server parse a request again without its `Upgrade` header, so that it is handled like any other request.
 * (`shouldUpgradeCallback` of newer Node versions is not an alternative: Node 24 loses bytes that arrived together with a
 * request whose offer it ignores.)
 */
export const readAgain = (
  server: Server,
  request: IncomingMessage,
  socket: Duplex,
  read: Buffer,
): void => {
  const lines = [`${request.method ?? ""} ${request.url ?? ""} HTTP/${request.httpVersion}`];
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    const [name = "", value = ""] = request.rawHeaders.slice(at, at + 2);
    const kept = withoutUpgrade(name.toLowerCase(), value);
    if (kept !== "") lines.push(`${name}: ${kept}`);
  }
  // Node decodes header bytes as Latin-1, so this restores the original bytes.
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  socket.unshift(Buffer.concat([head, read]));
  server.emit("connection", socket);
  socket.resume();
};

const withoutUpgrade = (name: string, value: string): string => {
  if (name === "upgrade") return "";
  if (name !== "connection") return value;
  return words(value)
    .filter((word) => word !== "upgrade")
    .join(", ");
};

const words = (value: string): readonly string[] =>
  value.split(",").map((word) => word.trim().toLowerCase());
