import * as Redacted from "effect/Redacted";
import type { Dispatcher } from "undici";
import type { ModelProvider } from "../provider/index.ts";
import { withQuery } from "../requests/destination.ts";
import { headerRecord, type HeadersLike } from "../signing/header-record.ts";
import type { SignedHeaders } from "../signing/signed-headers.ts";

type Request = Dispatcher.DispatchOptions;
type RequestHeaders = NonNullable<Request["headers"]>;

/** Returns a dispatched request with the signed headers and the provider's query parameters added. */
export const signedRequest = (
  request: Request,
  signed: SignedHeaders,
  queryParams: ModelProvider["queryParams"],
): Request => {
  const headers = mergedHeaders(request.headers, signed);
  if (queryParams.length === 0) return { ...request, headers };
  // undici takes parameters in `query` or in the path, not in both.
  if (request.query === null || request.query === undefined)
    return { ...request, path: withQuery(request.path, queryParams), headers };
  const params = queryParams.map(([name, value]) => [name, Redacted.value(value)]);
  return { ...request, query: { ...Object.fromEntries(params), ...request.query }, headers };
};

const mergedHeaders = (
  headers: Request["headers"],
  signed: SignedHeaders,
): Record<string, string> | Array<string> => {
  if (headers === null || headers === undefined) return signed.mergeInto(null);
  // A plain record is the usual case.
  const flat = Array.isArray(headers) || isIterable(headers) ? null : signed.mergeFlat(headers);
  return flat ?? signed.mergeInto(readable(headers));
};

/** Returns the request with headers that can be read for every attempt: an iterator would be consumed by the first. */
export const replayableRequest = (request: Request): Request => {
  const { headers } = request;
  if (headers === null || headers === undefined || Array.isArray(headers)) return request;
  return "next" in headers && typeof headers.next === "function"
    ? { ...request, headers: headerRecord(readable(headers)) }
    : request;
};

export const headerNames = (headers: Request["headers"]): Iterable<string> =>
  headers === null || headers === undefined ? [] : Object.keys(headerRecord(readable(headers)));

/** Returns headers that can be read by name. undici also accepts a flat list of names and values. */
const readable = (headers: RequestHeaders): HeadersLike =>
  Array.isArray(headers) ? flatPairs(headers) : headers;

const isIterable = (
  headers: Exclude<RequestHeaders, ReadonlyArray<string>>,
): headers is Iterable<[string, string | Array<string> | undefined]> => Symbol.iterator in headers;

function* flatPairs(headers: ReadonlyArray<unknown>): Generator<readonly [string, string]> {
  if (Array.isArray(headers[0])) {
    for (const pair of headers) if (Array.isArray(pair)) yield [String(pair[0]), text(pair[1])];
    return;
  }
  for (let at = 0; at + 1 < headers.length; at += 2)
    yield [String(headers[at]), text(headers[at + 1])];
}

const text = (value: unknown): string => (Array.isArray(value) ? value.join(", ") : String(value));
