import { closestName } from "./closest-name.ts";
import {
  type CommandSpec,
  type FlagTable,
  type FlagValues,
  globalFlags,
  type Invocation,
} from "./command-spec.ts";
import { redactWord, UsageError } from "./usage-error.ts";
import { type RawValue, tokenize, type Tokens } from "./tokenize.ts";

/**
 * Reads the words that follow a command's name.
 *
 * @throws UsageError on an unknown flag, a missing or extra value, or a wrong number of arguments
 */
export const parseInvocation = <Flags extends FlagTable>(
  spec: CommandSpec<Flags>,
  words: readonly string[],
): Invocation<Flags> => {
  const tokens = tokenize({ ...spec.flags, ...globalFlags }, words, spec.path);
  const globals = typedValues(globalFlags, tokens.values);
  if (!globals.help) checkArguments(spec, tokens);
  for (const override of globals.config) checkOverride(override, spec.path);
  return { flags: typedValues(spec.flags, tokens.values), args: tokens.positionals, globals };
};

/** The error does not repeat the words, which may be secrets. An empty value is usually a variable that is not set. */
const checkOverride = (override: string, path: readonly string[]) => {
  const equals = override.indexOf("=");
  if (override.slice(0, Math.max(equals, 0)).trim() === "") {
    throw new UsageError("-c takes KEY=VALUE", path);
  }
  if (override.slice(equals + 1).trim() === "") {
    throw new UsageError("-c takes KEY=VALUE, and the value is missing", path);
  }
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
  if (!isTyped(table, values)) throw new TypeError("a flag has a value of another type");
  return values;
};

/** Always true, because the words were sorted by the same table; the compiler cannot know that. */
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

const checkArguments = (spec: CommandSpec, { positionals, beforeTerminator }: Tokens) => {
  const missing = spec.args.filter((arg) => arg.required)[positionals.length];
  if (missing !== undefined) {
    const where = spec.passesThrough === true ? " after --" : "";
    throw new UsageError(`<${missing.name}> is missing${where}`, spec.path);
  }
  // Without the `--`, flags of the other program would be read as flags of this command.
  if (spec.passesThrough === true && beforeTerminator > 0) {
    throw new UsageError("put -- before the program to run", spec.path);
  }
  const extra = positionals[spec.args.length];
  if (spec.args.at(-1)?.variadic !== true && extra !== undefined) {
    const flag = closestName(extra, Object.keys(spec.flags));
    const hint = flag === undefined ? "" : `; did you mean '--${flag}'?`;
    throw new UsageError(`unexpected argument '${redactWord(extra)}'${hint}`, spec.path);
  }
};

/**
 * The value of a flag that takes a whole number.
 *
 * @throws UsageError if the text is not a whole number or is out of bounds
 */
export const parseInteger = (
  flag: string,
  text: string,
  bounds: {
    readonly min: number;
    readonly max: number;
    /** The command; the error points to its help. */
    readonly path: readonly string[];
  },
): number => {
  const value = /^\d{1,9}$/u.test(text) ? Number(text) : Number.NaN;
  if (value >= bounds.min && value <= bounds.max) return value;
  throw new UsageError(
    `${flag} takes a whole number from ${bounds.min} to ${bounds.max}`,
    bounds.path,
  );
};
