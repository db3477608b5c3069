import { findCommand, helpTopic, unknownGlobalFlag } from "./argv/find-command.ts";
import { commandHelp, groupHelp, programHelp } from "./argv/help.ts";
import { redactWord, UsageError } from "./argv/usage-error.ts";
import { groupSummaries } from "./commands/groups.ts";
import { commands } from "./commands/table.ts";
import { exitCode } from "./errors/exit-code.ts";
import { guard } from "./run-command.ts";
import { helpStyle } from "./terminal/is-terminal.ts";
import { writeAnswer, writeLine } from "./terminal/write.ts";
import { version } from "./version.ts";

const specs = commands.map((entry) => entry.spec);

/** Runs any command. The launcher starts the most frequent ones from separate bundles; they work from here too. */
export const main = (argv: readonly string[]): void =>
  guard(() => {
    const topic = helpTopic(specs, argv);
    if (topic !== null) return writeAnswer(explain(topic, argv.includes("--verbose")));
    if (asksForVersion(argv)) return writeAnswer(`${version}\n`);
    const match = findCommand(specs, argv);
    if (match === null) return withoutCommand(argv);
    const entry = commands.find(({ spec }) => spec === match.spec);
    void entry?.start(match.words);
  });

/** Many programs have a command `version`. */
const asksForVersion = (argv: readonly string[]): boolean =>
  (argv.length === 1 && argv[0] === "version") ||
  (argv.every((word) => word.startsWith("-")) &&
    (argv.includes("--version") || argv.includes("-V")));

/** The help of a command, of a group, or of the program. */
const explain = (topic: readonly string[], withHidden: boolean): string => {
  const style = helpStyle();
  const [group] = topic;
  if (group === undefined) return programHelp(specs, style);
  const below = specs.filter(({ path }) => path[0] === group);
  const isGroup = topic.length === 1 && below.every(({ path }) => path.length > 1);
  if (isGroup && below.length > 0) {
    return groupHelp(group, below, { summary: groupSummaries[group], style });
  }
  const match = findCommand(specs, topic);
  if (match === null || match.words.length > 0) throw new UsageError("help takes a command");
  return commandHelp(match.spec, { withHidden, style });
};

const withoutCommand = (argv: readonly string[]) => {
  if (argv.includes("--help") || argv.includes("-h")) {
    return writeAnswer(programHelp(specs, helpStyle()));
  }
  const [flag] = argv;
  const unknown = unknownGlobalFlag(argv);
  if (unknown !== undefined && argv.some((word) => specs.some(({ path }) => path[0] === word))) {
    const name = `${/^-+/u.exec(unknown)?.[0] ?? ""}${redactWord(unknown.replace(/^-+/u, ""))}`;
    throw new UsageError(`unknown option '${name}' before the command; options follow the command`);
  }
  if (flag !== undefined) throw new UsageError(`a command is missing after ${flag}`);
  writeLine(programHelp(specs).trimEnd());
  process.exitCode = exitCode.usageOrCancelled;
};
