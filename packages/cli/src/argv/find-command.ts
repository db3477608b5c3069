import { closestName } from "./closest-name.ts";
import { type CommandSpec, globalFlags } from "./command-spec.ts";
import { redactWord, UsageError } from "./usage-error.ts";

/** The command that a command line calls, and the remaining words, for its flags and arguments. */
export interface CommandMatch<Spec> {
  readonly spec: Spec;
  readonly words: readonly string[];
}

/** Names that other tools use for our commands. They work, but help and completion do not list them. */
const aliases: Readonly<Record<string, readonly string[]>> = {
  "auth login": ["login"],
  "auth logout": ["logout"],
  "auth status": ["login", "status"],
  "auth token": ["token"],
  status: ["login", "status"],
  whoami: ["login", "status"],
};

/** Commands for words that are not similar to the name of a command. */
const synonyms: Readonly<Record<string, string>> = {
  account: "accounts list",
  auth: "login",
  call: "api",
  curl: "api",
  diagnose: "doctor",
  request: "api",
  run: "exec",
  serve: "proxy",
  "sign-in": "login",
  "sign-out": "logout",
  signin: "login",
  signout: "logout",
  switch: "accounts use",
};

/**
 * Finds the command. The words of its name may come after global flags (`-c key=value login status`). The longest name
 * that matches wins.
 *
 * @returns `null` if no command is named at all
 * @throws UsageError if a word does not name a command
 */
export const findCommand = <Spec extends Pick<CommandSpec, "path">>(
  specs: readonly Spec[],
  given: readonly string[],
): CommandMatch<Spec> | null => {
  const argv = expandAlias(given);
  const names = nameIndices(argv);
  const [first] = names;
  if (first === undefined) return null;
  const candidates = specs
    .filter((spec) => spec.path.every((word, at) => argv[names[at] ?? -1] === word))
    .toSorted((a, b) => b.path.length - a.path.length);
  const [spec] = candidates;
  const words = names.map((at) => argv[at] ?? "");
  if (spec === undefined) throw new UsageError(unknownCommand(specs, words));
  refuseMisspelledSubcommand(specs, spec.path, words);
  const used = new Set(names.slice(0, spec.path.length));
  return { spec, words: argv.filter((_, at) => !used.has(at)) };
};

const expandAlias = (argv: readonly string[]): readonly string[] => {
  const names = nameIndices(argv);
  for (const count of [2, 1]) {
    const indices = names.slice(0, count);
    const name = indices.map((at) => argv[at] ?? "").join(" ");
    const path = Object.hasOwn(aliases, name) ? aliases[name] : undefined;
    if (path === undefined) continue;
    const [start = 0] = indices;
    return [
      ...argv.slice(0, start),
      ...path,
      ...argv.filter((_, at) => at > start && !indices.includes(at)),
    ];
  }
  return argv;
};

/**
 * What to explain: the words after `help`, or a group that was called without a command. `null` if a command is to run.
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

/** The first flag that is not a global one, without a value that follows `=`. */
export const unknownGlobalFlag = (argv: readonly string[]): string | undefined =>
  argv
    .find((word) => word.length > 1 && word.startsWith("-") && globalFlag(word) === undefined)
    ?.split("=", 1)[0];

const isFlagValue = (argv: readonly string[], at: number) =>
  globalFlag(argv[at - 1] ?? "") === "takes a value";

/** Positions of the first two words that are neither a global flag nor its value. Stops at the first other flag. */
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
    const names = specs.map((spec) => spec.path[0]);
    const closest = Object.hasOwn(synonyms, first) ? synonyms[first] : closestName(first, names);
    return `no such command: ${redactWord(first)}${didYouMean(closest)}`;
  }
  const closest = second === undefined ? undefined : closestName(second, secondWords(group));
  if (closest !== undefined) {
    return `no such command: ${first} ${redactWord(second ?? "")}${didYouMean(`${first} ${closest}`)}`;
  }
  return `${first} needs one of: ${group.map((spec) => spec.path.join(" ")).join(", ")}`;
};

/** `login stauts` is not `login` with an argument. */
const refuseMisspelledSubcommand = (
  specs: readonly Pick<CommandSpec, "path">[],
  [first, ...below]: readonly string[],
  [, second]: readonly string[],
) => {
  if (first === undefined || second === undefined || below.length > 0) return;
  const closest = closestName(second, secondWords(specs.filter(({ path }) => path[0] === first)));
  if (closest === undefined) return;
  throw new UsageError(
    `no such command: ${first} ${redactWord(second)}${didYouMean(`${first} ${closest}`)}`,
    [first],
  );
};

const secondWords = (specs: readonly Pick<CommandSpec, "path">[]) =>
  specs.flatMap(({ path }) => path.slice(1, 2));

const didYouMean = (path: string | undefined) =>
  path === undefined ? "" : `; did you mean 'agent-auth ${path}'?`;
