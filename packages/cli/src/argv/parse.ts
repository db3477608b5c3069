import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import {
  type CommandSpec,
  type FlagTable,
  type FlagValues,
  globalFlags,
  type Invocation,
} from "./command-spec.ts";
import { UsageError } from "./usage-error.ts";

type RawValue = string | boolean | readonly (string | boolean)[] | undefined;

/**
 * Reads the words that follow a command's name.
 *
 * @throws UsageError on an unknown flag, a missing or superfluous value, or a wrong number of arguments
 */
export const parseInvocation = <Flags extends FlagTable>(
  spec: CommandSpec<Flags>,
  words: readonly string[],
): Invocation<Flags> => {
  const { values, positionals, tokens } = parseWords(spec, words);
  const globals = typedValues(globalFlags, values);
  if (!globals.help) checkArguments(spec, positionals, tokens);
  return { flags: typedValues(spec.flags, values), args: positionals, globals };
};

const parseWords = (spec: CommandSpec, words: readonly string[]) => {
  const options: ParseArgsOptionsConfig = {};
  for (const [name, flag] of Object.entries({ ...spec.flags, ...globalFlags })) {
    options[name] = {
      type: flag.type,
      ...("multiple" in flag && { multiple: true }),
      ...("short" in flag && { short: flag.short }),
    };
  }
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true, tokens: true });
  } catch (error) {
    throw new UsageError(complaint(error), spec.path);
  }
};

/** Node explains an unknown flag in three sentences; the first one is enough. */
const complaint = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error);
  const first = text.split(/\. |\n/u, 1)[0] ?? text;
  return first.charAt(0).toLowerCase() + first.slice(1).replace(/\.$/u, "");
};

const typedValues = <Flags extends FlagTable>(
  table: Flags,
  raw: Readonly<Record<string, RawValue>>,
): FlagValues<Flags> => {
  const values: Record<string, RawValue> = {};
  for (const [name, flag] of Object.entries(table)) {
    const value = raw[name] ?? (flag.type === "boolean" ? false : flag.multiple ? [] : undefined);
    checkChoice(name, flag.choices, value);
    values[name] = value;
  }
  if (!isTyped(table, values)) throw new TypeError("a flag's value is not of its flag's type");
  return values;
};

/** parseArgs was configured from this very table, so this holds; the compiler cannot know. */
const isTyped = <Flags extends FlagTable>(
  table: Flags,
  values: Readonly<Record<string, RawValue>>,
): values is FlagValues<Flags> =>
  Object.entries(table).every(([name, flag]) => {
    const value = values[name];
    if (flag.type === "boolean") return typeof value === "boolean";
    return flag.multiple === true
      ? Array.isArray(value)
      : value === undefined || typeof value === "string";
  });

const checkChoice = (name: string, choices: readonly string[] | undefined, value: RawValue) => {
  if (choices === undefined || typeof value !== "string" || choices.includes(value)) return;
  throw new UsageError(`--${name} takes ${choices.join(", ")}`);
};

const checkArguments = (
  spec: CommandSpec,
  given: readonly string[],
  tokens: readonly { readonly kind: string; readonly index: number }[],
) => {
  const required = spec.args.filter((arg) => arg.required);
  const missing = required[given.length];
  if (missing !== undefined) {
    const where = spec.passesThrough === true ? " after --" : "";
    throw new UsageError(`${missing.name} is missing${where}`, spec.path);
  }
  if (spec.passesThrough === true) checkTerminator(spec, tokens);
  const isOpen = spec.args.at(-1)?.variadic === true;
  const extra = given[spec.args.length];
  if (!isOpen && extra !== undefined) {
    throw new UsageError(`unexpected argument '${abridge(extra)}'`, spec.path);
  }
};

/** Another program's flags would be taken for ours without the `--`, so it is required. */
const checkTerminator = (
  spec: CommandSpec,
  tokens: readonly { readonly kind: string; readonly index: number }[],
) => {
  const end = tokens.find((token) => token.kind === "option-terminator");
  const first = tokens.find((token) => token.kind === "positional");
  if (first !== undefined && (end === undefined || first.index < end.index)) {
    throw new UsageError("put -- before the program to run", spec.path);
  }
};

/** A secret passed by mistake is not repeated: it might be a token. */
const abridge = (word: string) => (word.length > 24 ? `${word.slice(0, 6)}…` : word);
