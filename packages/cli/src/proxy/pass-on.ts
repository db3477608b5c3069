import type { IncomingHttpHeaders } from "node:http";

/** Headers of one connection, not of the request (RFC 9110 §7.6.1), and those that this proxy answers for itself. */
const notPassedOn: ReadonlySet<string> = new Set([
  "connection",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "origin",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "referer",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** A client's headers without those that end here. */
export const requestHeaders = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  without(headers, (name) => notPassedOn.has(name) || name.startsWith("sec-fetch-"));

/** An answer's headers without those of the connection it came by. */
export const responseHeaders = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  without(headers, (name) => hopByHop.has(name));

/** The words behind a status. Decoded by guesswork and read by nobody, they are passed on in plain ASCII only. */
export const reasonPhrase = (reason: string | undefined): string | undefined =>
  reason !== undefined && /^[\t\u0020-\u007e]+$/u.test(reason) ? reason : undefined;

const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-connection",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const without = (headers: IncomingHttpHeaders, isDropped: (name: string) => boolean) => {
  const named = connectionNames(headers.connection);
  const kept: IncomingHttpHeaders = {};
  for (const name in headers) {
    if (!isDropped(name) && named?.has(name) !== true) kept[name] = headers[name];
  }
  return kept;
};

/** `Connection: close, x-own` makes `x-own` a header of the connection, too. */
const connectionNames = (value: string | undefined): ReadonlySet<string> | undefined =>
  value === undefined || value === "keep-alive" || value === "close"
    ? undefined
    : new Set(value.split(",").map((name) => name.trim().toLowerCase()));
