import { isTable, member, type TomlTable } from "./toml.ts";

/** Thrown by readers and caught by `loadConfig` only. */
export class WrongKey extends Error {
  readonly path: ReadonlyArray<string>;
  readonly expected: string;

  constructor(path: ReadonlyArray<string>, expected: string) {
    super(expected);
    this.path = path;
    this.expected = expected;
  }
}

const isText = (value: unknown): value is string => typeof value === "string";

/**
 * Typed access to one table by hand rather than by schema: a dozen keys do not pay for loading a schema library at every
 * start of a command. Each method answers `undefined` for an absent key and throws `WrongKey` for a wrong one.
 */
export class TableReader {
  readonly table: TomlTable;
  readonly path: ReadonlyArray<string>;

  constructor(table: TomlTable, path: ReadonlyArray<string> = []) {
    this.table = table;
    this.path = path;
  }

  fail(key: string, expected: string): never {
    throw new WrongKey([...this.path, key], expected);
  }

  text(key: string): string | undefined {
    const value = member(this.table, key);
    if (value === undefined || typeof value === "string") return value;
    return this.fail(key, "a string");
  }

  /** As `text`; blank counts as absent. */
  filledText(key: string): string | undefined {
    const value = this.text(key)?.trim();
    return value === "" ? undefined : value;
  }

  flag(key: string): boolean | undefined {
    const value = member(this.table, key);
    if (value === undefined || typeof value === "boolean") return value;
    return this.fail(key, "true or false");
  }

  /** A whole number, zero or more. */
  count(key: string): number | undefined {
    const value = member(this.table, key);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    return this.fail(key, "a whole number, zero or more");
  }

  oneOf<T extends string>(key: string, choices: ReadonlyArray<T>): T | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    return found ?? this.fail(key, `one of ${choices.map((choice) => `"${choice}"`).join(", ")}`);
  }

  texts(key: string): ReadonlyArray<string> | undefined {
    const value = member(this.table, key);
    if (value === undefined) return undefined;
    const isList = Array.isArray(value) && value.every((entry) => typeof entry === "string");
    return isList ? value : this.fail(key, "a list of strings");
  }

  /** One string counts as a list of one; an absent key as an empty list. */
  textOrTexts(key: string): ReadonlyArray<string> {
    const value = member(this.table, key) ?? [];
    const list: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value];
    return list.every(isText) ? list : this.fail(key, "a string or a list of strings");
  }

  inner(key: string): TableReader | undefined {
    const value = member(this.table, key);
    if (value === undefined) return undefined;
    return isTable(value) ? new TableReader(value, [...this.path, key]) : this.fail(key, "a table");
  }

  /** A table that holds nothing but strings. */
  textTable(key: string): Readonly<Record<string, string>> {
    const inner = this.inner(key);
    if (inner === undefined) return {};
    const texts = Object.keys(inner.table).map((name) => [name, inner.text(name) ?? ""] as const);
    return Object.fromEntries(texts);
  }
}
