import { type CommandSpec, globalFlags } from "./command-spec.ts";
import { closestName } from "./closest-name.ts";
import { redactWord, UsageError } from "./usage-error.ts";

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
  const words = names.map((at) => argv[at] ?? "");
  if (spec === undefined) throw new UsageError(unknownCommand(specs, words));
  refuseNearMiss(specs, spec.path, words);
  const used = new Set(names.slice(0, spec.path.length));
  return { spec, words: argv.filter((_, at) => !used.has(at)) };
};

/**
 * What is to be explained: the words behind `help`, or a group that was called alone. `null` where a command is to run.
 */
export const helpTopic = (
  specs: readonly Pick<CommandSpec, "path">[],
  argv: readonly string[],
): readonly string[] | null => {
  const words = argv.filter((word, at) => !word.startsWith("-") && !isFlagValue(argv, at));
  const [first, ...rest] = words;
  if (first === "help") return rest;
  const isGroup =
    first !== undefined &&
    rest.length === 0 &&
    specs.some(({ path }) => path[0] === first) &&
    !specs.some(({ path }) => path.length === 1 && path[0] === first);
  return isGroup && unknownGlobalFlag(argv) === undefined ? [first] : null;
};

/** The first flag that is none of every command's. A value given with `=` is cut off. */
export const unknownGlobalFlag = (argv: readonly string[]): string | undefined =>
  argv
    .find((word) => word.length > 1 && word.startsWith("-") && globalFlag(word) === undefined)
    ?.split("=", 1)[0];

const isFlagValue = (argv: readonly string[], at: number) =>
  globalFlag(argv[at - 1] ?? "") === "takes a value";

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
  [first = "", second]: readonly string[],
) => {
  const group = specs.filter((spec) => spec.path[0] === first);
  if (group.length === 0) {
    const heads = specs.map((spec) => spec.path[0]);
    return `no such command: ${redactWord(first)}${meant(closestName(first, heads))}`;
  }
  const near = second === undefined ? undefined : closestName(second, secondWords(group));
  if (near !== undefined) {
    return `no such command: ${first} ${redactWord(second ?? "")}${meant(`${first} ${near}`)}`;
  }
  return `${first} needs one of: ${group.map((spec) => spec.path.join(" ")).join(", ")}`;
};

/** `login stauts` is not `login` with an argument. */
const refuseNearMiss = (
  specs: readonly Pick<CommandSpec, "path">[],
  [first, ...below]: readonly string[],
  [, second]: readonly string[],
) => {
  if (first === undefined || second === undefined || below.length > 0) return;
  const near = closestName(second, secondWords(specs.filter(({ path }) => path[0] === first)));
  if (near === undefined) return;
  throw new UsageError(
    `no such command: ${first} ${redactWord(second)}${meant(`${first} ${near}`)}`,
    [first],
  );
};

const secondWords = (specs: readonly Pick<CommandSpec, "path">[]) =>
  specs.flatMap(({ path }) => path.slice(1, 2));

const meant = (path: string | undefined) =>
  path === undefined ? "" : `; did you mean 'agent-auth ${path}'?`;
