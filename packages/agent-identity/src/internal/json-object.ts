import { isUtf8 } from "node:buffer";

/** Why some bytes are not one JSON object with unique names. */
export type JsonObjectProblem =
  | "is not UTF-8"
  | "is not JSON"
  | "is not a JSON object"
  | "has a name twice";

export type JsonObject = Readonly<Record<string, unknown>>;

const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const quote = 0x22;
const backslash = 0x5c;
const [openBrace, closeBrace, openBracket, closeBracket, comma] = [0x7b, 0x7d, 0x5b, 0x5d, 0x2c];

/** Index of the quote that closes the string opened at `open`. */
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

const unescaped = (text: string, open: number, close: number): string => {
  const raw = text.slice(open + 1, close);
  return raw.includes("\\") ? String(JSON.parse(`"${raw}"`)) : raw;
};

/**
 * Whether any object in a text that is known to be JSON has the same name twice. Parsers differ in which of the two
 * they believe, so RFC 7515 §4 and RFC 7519 §4 let a verifier refuse; JSON.parse alone would keep the last in silence.
 */
export const repeatsName = (text: string): boolean => {
  const outer: Array<Set<string> | null> = [];
  let names: Set<string> | null = null;
  let awaitsName = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === quote) {
      const close = closingQuote(text, at);
      if (awaitsName && names !== null) {
        const name = unescaped(text, at, close);
        if (names.has(name)) return true;
        names.add(name);
        awaitsName = false;
      }
      at = close;
    } else if (character === comma) awaitsName = names !== null;
    else if (character === openBrace || character === openBracket) {
      outer.push(names);
      awaitsName = character === openBrace;
      names = awaitsName ? new Set() : null;
    } else if (character === closeBrace || character === closeBracket) {
      names = outer.pop() ?? null;
      awaitsName = false;
    }
  }
  return false;
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** A JSON object, and the text it was read from. */
export interface ReadJsonObject {
  readonly object: JsonObject;
  readonly text: string;
}

/** Reads UTF-8 bytes as one JSON object, in which names may still repeat. Never throws. */
export const readJsonObject = (bytes: Buffer): ReadJsonObject | JsonObjectProblem => {
  if (!isUtf8(bytes)) return "is not UTF-8";
  const text = bytes.toString("utf8");
  const value = parse(text);
  if (value === undefined) return "is not JSON";
  return isJsonObject(value) ? { object: value, text } : "is not a JSON object";
};

/** Reads UTF-8 bytes as one JSON object whose names, at every depth, are unique. Never throws. */
export const parseJsonObject = (bytes: Buffer): JsonObject | JsonObjectProblem => {
  const read = readJsonObject(bytes);
  if (typeof read === "string") return read;
  return repeatsName(read.text) ? "has a name twice" : read.object;
};
