import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Answer } from "./answer.ts";

/** Writes the whole answer; resolves also where the client goes away before its end. */
export const send = async (outgoing: ServerResponse, answer: Answer): Promise<void> => {
  const { status, headers = {}, body = "" } = answer;
  if (typeof body === "string") {
    outgoing.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
    outgoing.end(body);
    return;
  }
  outgoing.writeHead(status, headers);
  outgoing.flushHeaders();
  const source = body instanceof Readable ? body : Readable.from(body);
  await pipeline(source, outgoing).catch(() => outgoing.destroy());
};

const firstPiece = async (body: Exclude<Answer["body"], undefined | string>) => {
  for await (const piece of body) return piece;
  return "";
};

/** Writes the head and about half of the body, then resets the connection. */
export const cut = async (outgoing: ServerResponse, answer: Answer): Promise<void> => {
  const { status, headers = {}, body = "" } = answer;
  const isText = typeof body === "string";
  const part = isText ? body.slice(0, Math.floor(body.length / 2)) : await firstPiece(body);
  const length = isText ? { "content-length": Buffer.byteLength(body) } : {};
  outgoing.writeHead(status, { ...headers, ...length });
  outgoing.write(part, () => outgoing.socket?.destroy());
};
