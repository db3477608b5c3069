import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { HttpResponse } from "./response.ts";

const isWhole = (body: NonNullable<HttpResponse["body"]>): body is string | Uint8Array =>
  typeof body === "string" || body instanceof Uint8Array;

/** Writes the whole response. Also resolves if the client closes the connection before the end. */
export const send = async (outgoing: ServerResponse, response: HttpResponse): Promise<void> => {
  const { status, headers = {}, body = "" } = response;
  if (isWhole(body)) {
    outgoing.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
    outgoing.end(body);
    return;
  }
  outgoing.writeHead(status, headers);
  outgoing.flushHeaders();
  const source = body instanceof Readable ? body : Readable.from(body);
  await pipeline(source, outgoing).catch(() => outgoing.destroy());
};

const firstPiece = async (body: AsyncIterable<string | Uint8Array>) => {
  for await (const piece of body) return piece;
  return "";
};

/** Writes the head and about half of the body, then resets the connection. */
export const cut = async (outgoing: ServerResponse, response: HttpResponse): Promise<void> => {
  const { status, headers = {}, body = "" } = response;
  const whole = isWhole(body);
  const part = whole ? body.slice(0, Math.floor(body.length / 2)) : await firstPiece(body);
  const length = whole ? { "content-length": Buffer.byteLength(body) } : {};
  outgoing.writeHead(status, { ...headers, ...length });
  outgoing.write(part, () => outgoing.socket?.destroy());
};
