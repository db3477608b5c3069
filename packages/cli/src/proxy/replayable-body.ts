import type { IncomingMessage } from "node:http";

/** Bodies up to this many bytes are buffered, so that the request can be retried after a 401. */
const MAX_BUFFERED_BYTES = 1024 * 1024;

/** No body, bytes that can be sent again, or the client's stream, which can be sent once. */
export type ProxyBody = null | Buffer | IncomingMessage;

/** Whether a request has no body at all (RFC 9112 §6.3). */
export const hasNoBody = ({ headers }: IncomingMessage) =>
  headers["transfer-encoding"] === undefined &&
  (headers["content-length"] === undefined || headers["content-length"] === "0");

/**
 * Calls `proceed` with the body of a request: buffered if it is small and its length is known, else as a stream;
 * `undefined` if the client disconnected before a buffered body was complete.
 */
export const takeBody = (
  request: IncomingMessage,
  proceed: (body: ProxyBody | undefined) => void,
): void => {
  if (hasNoBody(request)) return proceed(null);
  const length = Number(request.headers["content-length"] ?? Number.NaN);
  if (!(length <= MAX_BUFFERED_BYTES)) return proceed(request);
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.once("end", () => proceed(Buffer.concat(chunks)));
  request.once("close", () => {
    if (!request.complete) proceed(undefined);
  });
};
