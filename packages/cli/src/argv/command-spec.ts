/** One flag of a command. The same value drives parsing, help and completion. */
export interface FlagSpec {
  readonly type: "boolean" | "string";
  readonly short?: string;
  /** What help calls the value, such as `FILE`. Present if and only if `type` is `string`. */
  readonly value?: string;
  /** May be given several times; its value is then a list. */
  readonly multiple?: true;
  /** One line, no full stop. */
  readonly summary: string;
  /** Works, but help shows it only with `--help --verbose`; completion leaves it out. */
  readonly hidden?: true;
  /** The only values that are accepted; completion offers them. */
  readonly choices?: readonly string[];
}

export type FlagTable = Readonly<Record<string, FlagSpec>>;

/** A positional argument. A variadic one takes the remaining words and must be the last. */
export interface ArgumentSpec {
  readonly name: string;
  readonly summary: string;
  readonly required: boolean;
  readonly variadic?: true;
  /** What completion offers in its place. */
  readonly completes?: "account" | "file" | "shell";
}

/** Everything that is known about a command without running it. */
export interface CommandSpec<Flags extends FlagTable = FlagTable> {
  /** The words that call it: `["login", "status"]`. */
  readonly path: readonly [string, ...string[]];
  /** One line, no full stop. */
  readonly summary: string;
  /** Paragraphs for help. */
  readonly description: readonly string[];
  readonly args: readonly ArgumentSpec[];
  readonly flags: Flags;
  readonly examples: readonly { readonly line: string; readonly does: string }[];
  /** The meaning of its exit codes, if that differs from the default. */
  readonly exitCodes?: Readonly<Record<string, string>>;
  /** May end with 4, since only a new sign-in helps. */
  readonly mayNeedSignIn?: true;
  /** Everything after `--` belongs to another program. */
  readonly passesThrough?: true;
  /** Runs until it is stopped: Ctrl-C and SIGTERM end it with exit code 0. */
  readonly endsOnSignal?: true;
  /** Handles signals itself, once its work is under way. */
  readonly handlesSignals?: true;
}

type FlagValue<F extends FlagSpec> = F["type"] extends "boolean"
  ? boolean
  : F extends { readonly multiple: true }
    ? readonly string[]
    : string | undefined;

/** The values of a table's flags. A switch that was not given is `false`, a list that was not given is empty. */
export type FlagValues<Flags extends FlagTable> = {
  readonly [Name in keyof Flags]: FlagValue<Flags[Name]>;
};

/** Flags that every command takes. */
export const globalFlags = {
  config: {
    type: "string",
    short: "c",
    value: "KEY=VALUE",
    multiple: true,
    summary: "override a key of config.toml; the value is TOML, or a string if it does not parse",
  },
  quiet: { type: "boolean", short: "q", summary: "print only results and errors" },
  verbose: { type: "boolean", summary: "log each request to stderr, without secrets" },
  help: { type: "boolean", short: "h", summary: "explain the command" },
} as const satisfies FlagTable;

export type GlobalValues = FlagValues<typeof globalFlags> & {
  /** Not a flag: the kept account whose sign-in a command works on, instead of the current one. */
  readonly account?: string;
};

/** What a command line said, after parsing. */
export interface Invocation<Flags extends FlagTable = FlagTable> {
  readonly flags: FlagValues<Flags>;
  readonly args: readonly string[];
  readonly globals: GlobalValues;
}

/** A command: what it is, and how flags become the options of its `run`. */
export interface Command<Flags extends FlagTable, Options> {
  readonly spec: CommandSpec<Flags>;
  /** @throws UsageError if flags or arguments cannot be combined */
  readonly options: (invocation: Invocation<Flags>) => Options;
}

/** Keeps the literal types of a table's flags, so that their values are typed. */
export const defineSpec = <const Flags extends FlagTable>(
  spec: CommandSpec<Flags>,
): CommandSpec<Flags> => spec;
