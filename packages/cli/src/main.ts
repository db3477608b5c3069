import { findCommand, helpTopic, unknownGlobalFlag } from "./argv/find-command.ts";
import { commandHelp, groupHelp, programHelp } from "./argv/help.ts";
import { redactWord, UsageError } from "./argv/usage-error.ts";
import { groupSummaries } from "./commands/groups.ts";
import { commands } from "./commands/table.ts";
import { exitCode } from "./errors/exit-code.ts";
import { guard } from "./run-command.ts";
import { writeAnswer, writeLine } from "./terminal/write.ts";
import { version } from "./version.ts";

const specs = commands.map((entry) => entry.spec);

/** Every command but the hot ones, which have bundles of their own (and work from here too). */
export const main = (argv: readonly string[]): void =>
  guard(() => {
    const topic = helpTopic(specs, argv);
    if (topic !== null) return writeAnswer(explain(topic, argv.includes("--verbose")));
    const found = findCommand(specs, argv);
    if (found === null) return withoutCommand(argv);
    const entry = commands.find(({ spec }) => spec === found.spec);
    void entry?.start(found.words);
  });

/** The page of a command, of a group, or of the program. */
const explain = (topic: readonly string[], withHidden: boolean): string => {
  const [group] = topic;
  if (group === undefined) return programHelp(specs);
  const below = specs.filter(({ path }) => path[0] === group);
  const isGroup = topic.length === 1 && below.every(({ path }) => path.length > 1);
  if (isGroup && below.length > 0) return groupHelp(group, below, groupSummaries[group]);
  const found = findCommand(specs, topic);
  if (found === null || found.words.length > 0) throw new UsageError("help takes a command");
  return commandHelp(found.spec, withHidden);
};

const withoutCommand = (argv: readonly string[]) => {
  if (argv.includes("--version") || argv.includes("-V")) return writeAnswer(`${version}\n`);
  if (argv.includes("--help") || argv.includes("-h")) return writeAnswer(programHelp(specs));
  const [flag] = argv;
  const stray = unknownGlobalFlag(argv);
  if (stray !== undefined && argv.some((word) => specs.some(({ path }) => path[0] === word))) {
    const name = `${/^-+/u.exec(stray)?.[0] ?? ""}${redactWord(stray.replace(/^-+/u, ""))}`;
    throw new UsageError(`unknown option '${name}' before the command; options follow the command`);
  }
  if (flag !== undefined) throw new UsageError(`a command is missing after ${flag}`);
  writeLine(programHelp(specs).trimEnd());
  process.exitCode = exitCode.usageOrCancelled;
};
