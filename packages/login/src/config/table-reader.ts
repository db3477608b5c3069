import { isTable, type TomlTable, valueOf } from "./toml.ts";

/** Thrown by `TableReader` for the first key that is wrong. */
export class InvalidKey extends Error {
  readonly path: ReadonlyArray<string>;
  /** What is wrong, as a clause that names the key. */
  readonly problem: string;

  constructor(path: ReadonlyArray<string>, problem: string) {
    super(problem);
    this.path = path;
    this.problem = problem;
  }
}

/** Where the value of a key comes from. */
export interface Origin {
  /** The folder against which a relative path is resolved. If absent, the working directory. */
  readonly folder?: string;
  /** Absent if it does not come from a file. */
  readonly file?: string;
}

export type OriginOf = (path: ReadonlyArray<string>) => Origin;

const isString = (value: unknown): value is string => typeof value === "string";

/**
 * Typed access to one table. A method returns `undefined` for an absent key and throws `InvalidKey` for a wrong value
 * (docs/decisions/0020-no-schema-library-for-config.md).
 */
export class TableReader {
  readonly #table: TomlTable;
  readonly #originOf: OriginOf;
  readonly path: ReadonlyArray<string>;

  constructor(table: TomlTable, originOf: OriginOf, path: ReadonlyArray<string> = []) {
    this.#table = table;
    this.#originOf = originOf;
    this.path = path;
  }

  get keys(): ReadonlyArray<string> {
    return Object.keys(this.#table);
  }

  originOf(key: string): Origin {
    return this.#originOf([...this.path, key]);
  }

  /** The file of the first of these keys that comes from a file. */
  fileOf(keys: ReadonlyArray<string>): string | undefined {
    return keys.map((key) => this.originOf(key).file).find((file) => file !== undefined);
  }

  /** Every file that at least one of these keys comes from. */
  filesOf(keys: ReadonlyArray<string>): ReadonlyArray<string> {
    return [...new Set(keys.flatMap((key) => this.originOf(key).file ?? []))];
  }

  fail(key: string, problem: string): never {
    throw new InvalidKey([...this.path, key], problem);
  }

  mustBe(key: string, expected: string): never {
    return this.fail(key, `${[...this.path, key].join(".")} must be ${expected}`);
  }

  string(key: string): string | undefined {
    const value = valueOf(this.#table, key);
    return value === undefined || isString(value) ? value : this.mustBe(key, "a string");
  }

  /** The trimmed string; `undefined` if the key is absent or the string is blank. */
  nonBlankString(key: string): string | undefined {
    return this.string(key)?.trim() || undefined;
  }

  boolean(key: string): boolean | undefined {
    const value = valueOf(this.#table, key);
    if (value === undefined || typeof value === "boolean") return value;
    return this.mustBe(key, "true or false");
  }

  /** A whole number, zero or more. */
  count(key: string): number | undefined {
    const value = valueOf(this.#table, key);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    return this.mustBe(key, "a whole number, zero or more");
  }

  oneOf<T extends string>(key: string, choices: ReadonlyArray<T>): T | undefined {
    const value = this.string(key);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    return found ?? this.mustBe(key, `one of ${choices.map((choice) => `"${choice}"`).join(", ")}`);
  }

  strings(key: string): ReadonlyArray<string> | undefined {
    const value = valueOf(this.#table, key);
    if (value === undefined) return undefined;
    const isList = Array.isArray(value) && value.every(isString);
    return isList ? value : this.mustBe(key, "a list of strings");
  }

  /** One string counts as a list of one, an absent key as an empty list. */
  stringOrStrings(key: string): ReadonlyArray<string> {
    const value = valueOf(this.#table, key) ?? [];
    const list: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value];
    return list.every(isString) ? list : this.mustBe(key, "a string or a list of strings");
  }

  tableAt(key: string): TableReader | undefined {
    const value = valueOf(this.#table, key);
    if (value === undefined) return undefined;
    return isTable(value)
      ? new TableReader(value, this.#originOf, [...this.path, key])
      : this.mustBe(key, "a table");
  }

  /** A table whose values are all strings; an absent one is empty. */
  stringTable(key: string): Readonly<Record<string, string>> {
    const inner = this.tableAt(key);
    const entries = (inner?.keys ?? []).map((name) => [name, inner?.string(name) ?? ""] as const);
    return Object.fromEntries(entries);
  }
}
