import { isUtf8 } from "node:buffer";

/** Why bytes are not one JSON object with unique names. */
export type JsonObjectProblem =
  | "is not UTF-8"
  | "is not JSON"
  | "is not a JSON object"
  | "has a duplicate name";

/** A parsed JSON object; its members are not checked. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Returns whether a parsed value is an object, and neither null nor an array.
 *
 * @example
 * ```ts
 * import { isJsonObject } from "@agent-auth/agent-identity/encoding";
 *
 * isJsonObject(JSON.parse("{}")); // true
 * isJsonObject(JSON.parse("[]")); // false
 * ```
 */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const [quote, backslash, colon] = [0x22, 0x5c, 0x3a];

/** Index of the quote that ends the string that starts at `open`. */
const closingQuote = (text: string, open: number): number => {
  let at = open + 1;
  for (;;) {
    at = text.indexOf('"', at);
    let escapes = 0;
    while (text.charCodeAt(at - 1 - escapes) === backslash) escapes += 1;
    if (escapes % 2 === 0) return at;
    at += 1;
  }
};

/** How many members a JSON text contains: each has one colon outside of strings. */
const countMembersInText = (text: string): number => {
  let colons = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === quote) at = closingQuote(text, at);
    else if (character === colon) colons += 1;
  }
  return colons;
};

/** How many members a parsed value has, at every depth. */
const countMembersInValue = (value: object): number => {
  const pending: Array<object> = [value];
  let members = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const inner: ReadonlyArray<unknown> = Object.values(next);
    if (!Array.isArray(next)) members += inner.length;
    for (const one of inner) if (typeof one === "object" && one !== null) pending.push(one);
  }
  return members;
};

/**
 * Returns the value of a JSON text, or `undefined` if the text is not JSON.
 *
 * @example
 * ```ts
 * import { parseJson } from "@agent-auth/agent-identity/encoding";
 *
 * parseJson('{"a":1}'); // { a: 1 }
 * parseJson("{"); // undefined
 * ```
 */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/**
 * Whether any object in a text has a duplicate name. Parsers differ in which of the two they use, so RFC 7515 §4 and
 * RFC 7519 §4 let a verifier reject it. JSON.parse keeps the last one, so its result has fewer members.
 */
const hasDuplicateName = (object: JsonObject, text: string): boolean =>
  countMembersInText(text) !== countMembersInValue(object);

/**
 * Parses UTF-8 bytes as one JSON object whose names are unique at every depth. Never throws.
 *
 * @example
 * ```ts
 * import { parseJsonObject } from "@agent-auth/agent-identity/encoding";
 *
 * parseJsonObject(Buffer.from('{"a":1,"a":2}')); // "has a duplicate name"
 * ```
 */
export const parseJsonObject = (bytes: Buffer): JsonObject | JsonObjectProblem => {
  if (!isUtf8(bytes)) return "is not UTF-8";
  const text = bytes.toString("utf8");
  const value = parseJson(text);
  if (value === undefined) return "is not JSON";
  if (!isJsonObject(value)) return "is not a JSON object";
  return hasDuplicateName(value, text) ? "has a duplicate name" : value;
};
