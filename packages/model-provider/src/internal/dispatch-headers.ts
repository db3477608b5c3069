import type { Dispatcher } from "undici";
import type { HeadersLike, SignedHeaders } from "../signed-headers.ts";

type DispatchHeaders = Dispatcher.DispatchOptions["headers"];

/** A dispatched request's headers, in any of undici's forms, with the signed ones on them. */
export const dispatchHeaders = (
  headers: DispatchHeaders,
  signed: SignedHeaders,
): Record<string, string> => signed.applyTo(headers == null ? null : readable(headers));

/** undici also takes a flat list of names and values, and pairs whose value is a list. */
const readable = (headers: NonNullable<DispatchHeaders>): HeadersLike => {
  if (Array.isArray(headers)) return flatPairs(headers);
  return isPairs(headers) ? joined(headers) : record(headers);
};

type Values = string | ReadonlyArray<string> | number | undefined;

const isPairs = (headers: object): headers is Iterable<readonly [string, Values]> =>
  Symbol.iterator in headers;

function* flatPairs(headers: ReadonlyArray<unknown>): Generator<readonly [string, string]> {
  if (Array.isArray(headers[0])) {
    for (const pair of headers) if (Array.isArray(pair)) yield [String(pair[0]), text(pair[1])];
    return;
  }
  for (let at = 0; at + 1 < headers.length; at += 2)
    yield [String(headers[at]), text(headers[at + 1])];
}

function* joined(
  headers: Iterable<readonly [string, Values]>,
): Generator<readonly [string, string]> {
  for (const [name, value] of headers) if (value !== undefined) yield [name, text(value)];
}

const record = (headers: object): HeadersLike => joined(Object.entries(headers));

const text = (value: unknown): string => (Array.isArray(value) ? value.join(", ") : String(value));
