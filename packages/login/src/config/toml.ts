import * as Effect from "effect/Effect";
import { ConfigSyntaxError } from "../errors/config.ts";

/** A parsed TOML table. Only own properties count; `__proto__` is a key like any other. */
export type TomlTable = Readonly<Record<string, unknown>>;

export const isTable = (value: unknown): value is TomlTable =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** Returns the value of a key, never an inherited one. */
export const valueOf = (table: TomlTable, key: string): unknown =>
  Object.hasOwn(table, key) ? table[key] : undefined;

/** Returns the value at a path of keys; `undefined` if there is none. */
export const valueAt = (table: TomlTable, path: ReadonlyArray<string>): unknown => {
  let value: unknown = table;
  for (const key of path) {
    if (!isTable(value)) return undefined;
    value = valueOf(value, key);
  }
  return value;
};

/** Returns a copy of a table with one key replaced; the key may be any string. */
export const withValue = (table: TomlTable, key: string, value: unknown): TomlTable =>
  Object.fromEntries([...Object.entries(table).filter(([name]) => name !== key), [key, value]]);

/** Returns both tables in one. If both have a key, tables are merged, and other values are those of `upper`. */
export const mergeTables = (lower: TomlTable, upper: TomlTable): TomlTable => {
  const merged = new Map(Object.entries(lower));
  for (const [key, value] of Object.entries(upper)) {
    const below = merged.get(key);
    merged.set(key, isTable(below) && isTable(value) ? mergeTables(below, value) : value);
  }
  return Object.fromEntries(merged);
};

// Loaded only if there is something to parse: most processes have no config.toml.
const load = Effect.promise(() => import("smol-toml"));

/**
 * Parses a whole file or one value. Integers that a number cannot represent become a `bigint`. The error has the first
 * line of the parser's explanation and never quotes the text.
 */
export const parseToml = (
  text: string,
  part: { readonly where: string; readonly isSystemFile?: true },
): Effect.Effect<TomlTable, ConfigSyntaxError> =>
  Effect.flatMap(load, ({ parse, TomlError }) =>
    Effect.try({
      try: (): TomlTable => parse(text, { integersAsBigInt: "asNeeded" }),
      catch: (error) =>
        error instanceof TomlError
          ? new ConfigSyntaxError({
              ...partOf(part),
              line: error.line,
              column: error.column,
              reason: reasonOf(error.message),
            })
          : new ConfigSyntaxError({ ...partOf(part), reason: "it is not TOML" }),
    }),
  );

/** Leaves out other members that the caller's object may have. */
const partOf = ({ isSystemFile, where }: { where: string; isSystemFile?: true }) => ({
  where,
  ...(isSystemFile === true && { isSystemFile }),
});

/** Returns a table as TOML text. */
export const formatToml = (table: TomlTable): Effect.Effect<string> =>
  Effect.map(load, ({ stringify }) => stringify(table));

/** smol-toml quotes the offending line below its explanation; that line may contain a secret. */
const reasonOf = (message: string): string => {
  const [line = ""] = message.split("\n");
  return line.replace(/^Invalid TOML document: /, "") || "it is not TOML";
};
