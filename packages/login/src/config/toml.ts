import * as Effect from "effect/Effect";
import { ConfigSyntaxError } from "../errors/config.ts";

/** A parsed TOML table. Own keys only count; `__proto__` is a key like any other. */
export type TomlTable = Readonly<Record<string, unknown>>;

export const isTable = (value: unknown): value is TomlTable =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** The member of a table, never one that it inherits. */
export const member = (table: TomlTable, key: string): unknown =>
  Object.hasOwn(table, key) ? table[key] : undefined;

/** A table with one member replaced, whatever it is called. */
export const withMember = (table: TomlTable, key: string, value: unknown): TomlTable =>
  Object.fromEntries([...Object.entries(table).filter(([name]) => name !== key), [key, value]]);

// Loaded only when there is something to parse: most starts have no config.toml.
const load = Effect.promise(() => import("smol-toml"));

/** Parses a whole file or one value; the error has its first line of explanation and never quotes the text. */
export const parseToml = (
  text: string,
  where: string,
): Effect.Effect<TomlTable, ConfigSyntaxError> =>
  Effect.flatMap(load, ({ parse, TomlError }) =>
    Effect.try({
      try: (): TomlTable => parse(text),
      catch: (error) =>
        error instanceof TomlError
          ? new ConfigSyntaxError({
              where,
              line: error.line,
              column: error.column,
              reason: reasonOf(error.message),
            })
          : new ConfigSyntaxError({ where, reason: "it is not TOML" }),
    }),
  );

/** smol-toml puts the offending line below its explanation; that line may hold a secret. */
const reasonOf = (message: string): string => {
  const [line = ""] = message.split("\n");
  return line.replace(/^Invalid TOML document: /, "") || "it is not TOML";
};

/**
 * The line on which a key's value starts, counted from 1: the parser keeps no positions, so the first line is looked for
 * up to which the file cannot be read without the key. Only ever done on the way to an error; by halves, since a file of
 * Codex's grows with every project that it has seen.
 */
export const lineOfKey = (
  text: string,
  path: ReadonlyArray<string>,
): Effect.Effect<number | undefined> =>
  Effect.map(load, ({ parse }) => {
    const lines = text.split("\n");
    /** Whether the key is in the shortest beginning that is TOML by itself and has at least so many lines. */
    const isWithin = (count: number): boolean => {
      for (let end = count; end <= lines.length; end++) {
        try {
          return has(parse(lines.slice(0, end).join("\n")), path);
        } catch {
          continue; // in the midst of a value
        }
      }
      return false;
    };
    if (!isWithin(lines.length)) return undefined;
    let [without, within] = [0, lines.length];
    while (within - without > 1) {
      const middle = Math.floor((without + within) / 2);
      if (isWithin(middle)) within = middle;
      else without = middle;
    }
    return within;
  });

const has = (table: TomlTable, path: ReadonlyArray<string>): boolean => {
  let value: unknown = table;
  for (const key of path) {
    if (!isTable(value) || !Object.hasOwn(value, key)) return false;
    value = value[key];
  }
  return true;
};
