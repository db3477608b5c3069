import * as Redacted from "effect/Redacted";
import type { Dispatcher } from "undici";
import type { ModelProvider } from "../provider/index.ts";
import {
  type HeadersLike,
  isIdentityHeader,
  type SignedHeaders,
} from "../signing/signed-headers.ts";
import { withQuery } from "../requests/destination.ts";

type Request = Dispatcher.DispatchOptions;
type RequestHeaders = NonNullable<Request["headers"]>;
type QueryParams = ModelProvider["queryParams"];

/** A dispatched request with the signed headers and the provider's query on it. */
export const signedRequest = (
  request: Request,
  signed: SignedHeaders,
  queryParams: QueryParams,
): Request => {
  const headers = dispatchHeaders(request.headers, signed);
  if (queryParams.length === 0) return { ...request, headers };
  // undici takes parameters in `query` or in the path, not in both.
  if (request.query === null || request.query === undefined)
    return { ...request, path: withQuery(request.path, queryParams), headers };
  const params = queryParams.map(([name, value]) => [name, Redacted.value(value)]);
  return { ...request, query: { ...Object.fromEntries(params), ...request.query }, headers };
};

const dispatchHeaders = (
  headers: Request["headers"],
  signed: SignedHeaders,
): Record<string, string> | Array<string> => {
  if (headers === null || headers === undefined) return signed.applyTo(null);
  return flatly(headers, signed) ?? signed.applyTo(readable(headers));
};

/** The usual case without detours: a plain record of texts, and a provider that adds no headers of its own. */
const flatly = (headers: RequestHeaders, signed: SignedHeaders): Array<string> | null => {
  const flat = signed.flatIdentity();
  if (flat === null || Array.isArray(headers) || isIterable(headers)) return null;
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (typeof value !== "string") return null;
    if (!isIdentityHeader(name)) flat.push(name, value);
  }
  return flat;
};

/** undici also takes a flat list of names and values. */
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
