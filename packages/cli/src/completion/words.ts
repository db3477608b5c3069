import { groupSummaries } from "../commands/groups.ts";
import { type CommandSpec, type FlagSpec, globalFlags } from "../argv/command-spec.ts";

/** What may follow a command's name. */
export interface CommandWords {
  /** `""` for the program itself, `accounts` for a group, `accounts use` for a command. */
  readonly path: string;
  readonly summary: string;
  readonly subcommands: readonly { readonly word: string; readonly summary: string }[];
  readonly flags: readonly FlagWords[];
  /** What its first argument is. */
  readonly argument?: "account" | "file" | "shell" | undefined;
}

export interface FlagWords {
  readonly long: string;
  readonly short?: string | undefined;
  readonly summary: string;
  readonly takesValue: boolean;
  readonly takesFile: boolean;
  readonly choices?: readonly string[] | undefined;
}

export const program = "agent-auth";
export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** One entry for the program, for every group, and for every command. */
export const completionWords = (specs: readonly CommandSpec[]): readonly CommandWords[] => {
  const paths = new Set([""]);
  for (const { path } of specs) {
    for (let length = 1; length <= path.length; length += 1) {
      paths.add(path.slice(0, length).join(" "));
    }
  }
  return [...paths].map((path) => wordsOf(path, specs));
};

const wordsOf = (path: string, specs: readonly CommandSpec[]): CommandWords => {
  const spec = specs.find((one) => one.path.join(" ") === path);
  const depth = path === "" ? 0 : path.split(" ").length;
  const below = specs.filter((one) => one.path.length > depth && isBelow(one, path));
  const subcommands = new Map<string, string>();
  for (const one of below) {
    const word = one.path[depth] ?? "";
    const summary = one.path.length === depth + 1 ? one.summary : (groupSummaries[word] ?? "");
    if (!subcommands.has(word) || one.path.length === depth + 1) subcommands.set(word, summary);
  }
  return {
    path,
    summary: spec?.summary ?? "",
    subcommands: [...subcommands].map(([word, summary]) => ({ word, summary })),
    flags: flagWords({ ...spec?.flags, ...globalFlags }),
    argument: spec?.args[0]?.completes,
  };
};

const isBelow = (spec: CommandSpec, path: string) =>
  path === "" || spec.path.join(" ").startsWith(`${path} `);

const flagWords = (table: Readonly<Record<string, FlagSpec>>): readonly FlagWords[] =>
  Object.entries(table)
    .filter(([, flag]) => flag.hidden !== true)
    .map(([long, flag]) => ({
      long,
      short: flag.short,
      summary: flag.summary,
      takesValue: flag.type === "string",
      takesFile: flag.value?.includes("FILE") === true,
      choices: flag.choices,
    }));
