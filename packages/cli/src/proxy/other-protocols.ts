import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { hasNoBody } from "./replayable-body.ts";

/**
 * Whether a request asks to become a WebSocket (RFC 6455 §4.1). Offers of any other protocol are ignored (RFC 9110
 * §7.8): curl and Java's client send `Upgrade: h2c` with every first request, and mean the request as it is.
 */
export const asksForWebSocket = (request: IncomingMessage): boolean =>
  request.method === "GET" &&
  hasNoBody(request) &&
  words(request.headers.upgrade ?? "").includes("websocket");

/** What a client may send behind an offer that has to wait. */
const MAX_AHEAD_BYTES = 64 * 1024;

/**
 * An upgrade has its connection to itself, so requests that the client sent ahead of it are answered first. Node no
 * longer looks after their connection: here they end with it.
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
    socket.setTimeout(0); // Node's, for an idle connection
    if (!socket.destroyed) proceed(read);
  });
};

/**
 * Gives a request back to a server that has taken its `Upgrade` header at its word, without that header: the same
 * method, headers and body are then read as those of any request. (`shouldUpgradeCallback`, which newer Nodes have, does
 * not do: Node 24 loses what came in one piece behind a request whose offer it ignores.)
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
  // Node reads header bytes as Latin-1, so this writes the bytes that came.
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
