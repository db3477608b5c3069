import type { IncomingMessage } from "node:http";

/** Bodies up to this many bytes are held, so that a request can be sent again after a 401. */
const HELD_BYTES = 1024 * 1024;

/** What goes upstream: nothing, bytes that can be sent again, or the client's stream, which can not. */
export type ProxyBody = null | Buffer | IncomingMessage;

/** Whether a request has no body at all (RFC 9112 §6.3). */
export const hasNoBody = ({ headers }: IncomingMessage) =>
  headers["transfer-encoding"] === undefined &&
  (headers["content-length"] === undefined || headers["content-length"] === "0");

/**
 * Takes the body of a request. A small one of known length is held whole; anything else streams.
 *
 * @returns `undefined` where the client went away before its body was here
 */
export const takeBody = (
  request: IncomingMessage,
  proceed: (body: ProxyBody | undefined) => void,
): void => {
  if (hasNoBody(request)) return proceed(null);
  const length = Number(request.headers["content-length"] ?? Number.NaN);
  if (!(length <= HELD_BYTES)) return proceed(request);
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.once("end", () => proceed(Buffer.concat(chunks)));
  request.once("close", () => {
    if (!request.complete) proceed(undefined);
  });
};

export const isHeld = (body: ProxyBody): body is null | Buffer =>
  body === null || Buffer.isBuffer(body);
