import { type CommandSpec, globalFlags } from "./command-spec.ts";
import { shownWord } from "./shown-word.ts";
import { UsageError } from "./usage-error.ts";

/** The command that a line calls, and the words left for its flags and arguments. */
export interface Found<Spec> {
  readonly spec: Spec;
  readonly words: readonly string[];
}

/**
 * Finds the command. Its name's words may stand behind global flags (`-c key=value login status`); the longest
 * name that matches wins.
 *
 * @returns `null` where no command is named at all
 * @throws UsageError where a word names no command
 */
export const findCommand = <Spec extends Pick<CommandSpec, "path">>(
  specs: readonly Spec[],
  argv: readonly string[],
): Found<Spec> | null => {
  const names = nameIndices(argv);
  const [first] = names;
  if (first === undefined) return null;
  const candidates = specs
    .filter((spec) => spec.path.every((word, at) => argv[names[at] ?? -1] === word))
    .toSorted((a, b) => b.path.length - a.path.length);
  const [spec] = candidates;
  if (spec === undefined) throw new UsageError(unknownCommand(specs, argv, names));
  const used = new Set(names.slice(0, spec.path.length));
  return { spec, words: argv.filter((_, at) => !used.has(at)) };
};

/** Positions of the first words that are neither a global flag nor its value. Stops at the first other flag. */
const nameIndices = (argv: readonly string[]): readonly number[] => {
  const found: number[] = [];
  for (let at = 0; at < argv.length && found.length < 2; at += 1) {
    const word = argv[at] ?? "";
    const global = globalFlag(word);
    if (global === "takes a value") at += 1;
    else if (global === undefined) {
      if (word.startsWith("-")) break;
      found.push(at);
    }
  }
  return found;
};

const globalFlag = (word: string): "takes a value" | "complete" | undefined => {
  for (const [name, flag] of Object.entries(globalFlags)) {
    const short = "short" in flag ? `-${flag.short}` : undefined;
    if (word === `--${name}` || word === short) {
      return flag.type === "string" ? "takes a value" : "complete";
    }
    if (flag.type !== "string") continue;
    if (word.startsWith(`--${name}=`)) return "complete";
    if (short !== undefined && word.startsWith(short) && !word.startsWith("--")) return "complete";
  }
  return undefined;
};

const unknownCommand = (
  specs: readonly Pick<CommandSpec, "path">[],
  argv: readonly string[],
  names: readonly number[],
) => {
  const words = names.map((at) => argv[at] ?? "");
  const [first = ""] = words;
  const group = specs.filter((spec) => spec.path[0] === first).map((spec) => spec.path.join(" "));
  if (group.length > 0) return `${first} needs one of: ${group.join(", ")}`;
  return `no such command: ${shownWord(first)}`;
};
