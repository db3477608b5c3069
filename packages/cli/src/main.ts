import { programHelp } from "./argv/help.ts";
import { findCommand } from "./argv/find-command.ts";
import { UsageError } from "./argv/usage-error.ts";
import { commands } from "./commands/table.ts";
import { exitCode } from "./exit-code.ts";
import { guard } from "./run-command.ts";
import { writeAnswer, writeLine } from "./terminal/write.ts";
import { version } from "./version.ts";

const specs = commands.map((entry) => entry.spec);

/** Every command but the hot ones, which have bundles of their own (and work from here too). */
export const main = (argv: readonly string[]): void =>
  guard(() => {
    const found = findCommand(specs, argv);
    if (found === null) return withoutCommand(argv);
    const entry = commands.find(({ spec }) => spec === found.spec);
    void entry?.start(found.words);
  });

const withoutCommand = (argv: readonly string[]) => {
  if (argv.includes("--version") || argv.includes("-V")) return writeAnswer(`${version}\n`);
  if (argv.includes("--help") || argv.includes("-h")) return writeAnswer(programHelp(specs));
  const [flag] = argv;
  if (flag !== undefined) throw new UsageError(`a command is missing after ${flag}`);
  writeLine(programHelp(specs).trimEnd());
  process.exitCode = exitCode.usageOrCancelled;
};
