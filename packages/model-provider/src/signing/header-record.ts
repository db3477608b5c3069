type HeaderValue = string | number | ReadonlyArray<string> | undefined;

/** Headers of a request, in the forms that HTTP clients take. */
export type HeadersLike =
  | Iterable<readonly [string, HeaderValue]>
  | Readonly<Record<string, HeaderValue>>;

export type HeaderRecord = Record<string, string>;

const noNames: ReadonlySet<string> = new Set();

/**
 * Returns headers as a record with lower-case names, except those in `without`. Values of the same name are joined: with
 * a comma (RFC 9110 §5.3), cookies with a semicolon (RFC 6265 §5.4).
 */
export const headerRecord = (
  headers: HeadersLike,
  without: ReadonlySet<string> = noNames,
): HeaderRecord => {
  const record: HeaderRecord = {};
  const add = (name: string, value: HeaderValue): void => {
    const lower = name.toLowerCase();
    if (value === undefined || without.has(lower)) return;
    const separator = lower === "cookie" ? "; " : ", ";
    const text = typeof value === "string" ? value : [value].flat().join(separator);
    record[lower] = Object.hasOwn(record, lower) ? record[lower] + separator + text : text;
  };
  if (isIterable(headers)) for (const [name, value] of headers) add(name, value);
  else for (const name of Object.keys(headers)) add(name, headers[name]);
  return record;
};

const isIterable = (headers: HeadersLike): headers is Iterable<readonly [string, HeaderValue]> =>
  Symbol.iterator in headers;

/** Returns headers that the caller cannot change any more, and that can be read for every attempt. */
export const snapshotHeaders = (headers: HeadersLike): HeadersLike =>
  isIterable(headers) ? headerRecord(headers) : { ...headers };

const protocolHeader = "sec-websocket-protocol";

/** Subprotocols with which a browser client passes an API key, since it cannot set headers. */
const credentialProtocol = /^openai-insecure-api-key\./i;

/** Returns whether this header may list subprotocols that carry a client's own key. */
export const isProtocolHeader = (name: string): boolean =>
  name.length === protocolHeader.length && name.toLowerCase() === protocolHeader;

/** Returns WebSocket subprotocols without those that carry a client's own key. */
const withoutCredentialProtocols = (protocols: ReadonlyArray<string>): Array<string> =>
  protocols.filter((protocol) => !credentialProtocol.test(protocol.trim()));

/** Removes subprotocols that carry a client's own key from a record with lower-case names. */
export const dropCredentialProtocols = (record: HeaderRecord): void => {
  const listed = record[protocolHeader];
  if (listed === undefined) return;
  const kept = withoutCredentialProtocols(listed.split(","));
  if (kept.length === 0) delete record[protocolHeader];
  else record[protocolHeader] = kept.map((protocol) => protocol.trim()).join(", ");
};
