import type { IncomingHttpHeaders } from "node:http";

/** Headers of one connection, not of the message (RFC 9110 §7.6.1). */
const hopByHop = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-connection",
  "trailer",
  "transfer-encoding",
  "upgrade",
] as const;

/**
 * Further request headers that are not forwarded: those that the proxy handles itself, and those that only browsers
 * need.
 */
const requestOnly = [
  "expect",
  "host",
  "http2-settings",
  "origin",
  "proxy-authorization",
  "referer",
  "te",
] as const;

export interface HeaderFilterOptions {
  /** Forwards `Cookie` and `Set-Cookie`. Default false: a program must not send the cookies of another. */
  readonly cookies: boolean;
  /** Further request headers that are not forwarded, in lower case. */
  readonly dropRequestHeaders?: ReadonlySet<string>;
}

/** Decides which headers pass, in each direction. */
export interface HeaderFilter {
  readonly request: (headers: IncomingHttpHeaders) => IncomingHttpHeaders;
  readonly response: (headers: IncomingHttpHeaders) => IncomingHttpHeaders;
}

/**
 * Returns a filter. Responses get `Content-Security-Policy: sandbox` and `X-Content-Type-Options: nosniff`, so that a
 * browser that opens HTML of the provider does not run its scripts with this proxy's origin.
 */
export const makeHeaderFilter = (options: HeaderFilterOptions): HeaderFilter => {
  const requestNames = new Set<string>([
    ...hopByHop,
    ...requestOnly,
    ...(options.dropRequestHeaders ?? []),
    ...(options.cookies ? [] : ["cookie", "cookie2"]),
  ]);
  const responseNames = new Set<string>([
    ...hopByHop,
    "content-security-policy",
    "x-content-type-options",
    ...(options.cookies ? [] : ["set-cookie", "set-cookie2"]),
  ]);
  return {
    request: (headers) =>
      without(headers, (name) => requestNames.has(name) || name.startsWith("sec-fetch-")),
    response: (headers) => {
      const kept = without(headers, (name) => responseNames.has(name));
      kept["content-security-policy"] = "sandbox";
      kept["x-content-type-options"] = "nosniff";
      return kept;
    },
  };
};

/** Returns the reason phrase if it is plain ASCII; others have no agreed decoding (RFC 9112 §4). */
export const asciiReasonPhrase = (reason: string | undefined): string | undefined =>
  reason !== undefined && /^[\t\u0020-\u007e]+$/u.test(reason) ? reason : undefined;

const without = (
  headers: IncomingHttpHeaders,
  isDropped: (name: string) => boolean,
): IncomingHttpHeaders => {
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
