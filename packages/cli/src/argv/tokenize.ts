import type { FlagSpec, FlagTable } from "./command-spec.ts";
import { closestName } from "./closest-name.ts";
import { redactWord, UsageError } from "./usage-error.ts";

export type RawValue = string | boolean | readonly string[] | undefined;

/** The words of a command line, sorted into flags and arguments. */
export interface Tokens {
  readonly values: Readonly<Record<string, RawValue>>;
  readonly positionals: readonly string[];
  /** How many of the positionals came before a `--`; all of them if there was none. */
  readonly beforeTerminator: number;
}

/**
 * Reads words by the rules of `node:util`'s parseArgs, which costs half a millisecond to load: `--name value`,
 * `--name=value`, `-n value`, `-nvalue`, `-abc` for switches, and `--` before words that are not flags.
 *
 * @throws UsageError on an unknown flag or a missing or extra value. The error never repeats a value.
 */
export const tokenize = (
  table: FlagTable,
  words: readonly string[],
  path: readonly string[],
): Tokens => {
  const values: Record<string, RawValue> = {};
  const positionals: string[] = [];
  const rest = [...words];
  const refuse = (text: string): never => {
    throw new UsageError(text, path);
  };
  const set = (name: string, flag: FlagSpec, value: string | boolean) => {
    const earlier = values[name];
    if (flag.multiple !== true || typeof value === "boolean") values[name] = value;
    else values[name] = [...(Array.isArray(earlier) ? earlier : []), value];
  };
  const valueOf = (written: string, { value: noun }: FlagSpec, given: string | undefined) => {
    const value = given ?? rest.shift();
    if (value === undefined) return refuse(`option '${written}' needs a value: ${noun}`);
    if (given === undefined && value.length > 1 && value.startsWith("-")) {
      return refuse(
        `option '${written}' needs a value: ${noun}; for one that starts with -, use =`,
      );
    }
    return value;
  };
  const long = (word: string) => {
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const given = equals < 0 ? undefined : word.slice(equals + 1);
    const flag = Object.hasOwn(table, name) ? table[name] : undefined;
    if (flag === undefined) return refuse(unknownOption(name, Object.keys(table)));
    if (flag.type === "string") return set(name, flag, valueOf(`--${name}`, flag, given));
    if (given !== undefined) return refuse(`option '--${name}' does not take a value`);
    return set(name, flag, true);
  };
  const short = (word: string) => {
    for (let at = 1; at < word.length; at += 1) {
      const letter = word.charAt(at);
      const [name, flag] = Object.entries(table).find(([, one]) => one.short === letter) ?? [];
      if (name === undefined || flag === undefined) return refuse(`unknown option '-${letter}'`);
      if (flag.type === "boolean") set(name, flag, true);
      else {
        const attached = word.slice(at + 1).replace(/^=/u, "");
        return set(name, flag, valueOf(`-${letter}`, flag, attached === "" ? undefined : attached));
      }
    }
  };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "--") {
      return {
        values,
        positionals: [...positionals, ...rest],
        beforeTerminator: positionals.length,
      };
    }
    if (word.startsWith("--")) long(word);
    else if (word.length > 1 && word.startsWith("-")) short(word);
    else positionals.push(word);
  }
  return { values, positionals, beforeTerminator: positionals.length };
};

const unknownOption = (name: string, known: readonly string[]): string => {
  const near = closestName(name, known);
  const meant = near === undefined ? "" : `; did you mean '--${near}'?`;
  return `unknown option '--${redactWord(name)}'${meant}`;
};
