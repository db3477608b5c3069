import { type CommandWords, type FlagWords, program } from "./words.ts";

/** A completion script for fish, for a file in its completions folder or for `source`. */
export const fishScript = (
  commands: readonly CommandWords[],
): string => `# fish completion for ${program}
function __agent_auth_path
    set -l path
    for word in (commandline -opc)[2..]
        string match -q -- '-*' $word; and continue
        set -l longer (string join ' ' $path $word)
        contains -- $longer ${commands
          .filter(({ path }) => path !== "")
          .map(({ path }) => quoted(path))
          .join(" ")}; and set path $path $word
    end
    string join ' ' $path
end
function __agent_auth_accounts
    set -l home ~/.codex
    set -q CODEX_HOME; and set home $CODEX_HOME
    for folder in $home/accounts/*/
        basename $folder
    end
end
complete -c ${program} -f
${commands.flatMap(linesOf).join("\n")}
`;

const linesOf = ({ path, subcommands, flags, argument }: CommandWords): readonly string[] => {
  const at = `complete -c ${program} -n 'test "$(__agent_auth_path)" = "${path}"'`;
  const first = {
    account: [`${at} -a '(__agent_auth_accounts)'`],
    shell: [`${at} -a 'bash zsh fish'`],
    file: [`${at} -F`],
    none: [],
  }[argument ?? "none"];
  return [
    ...subcommands.map(({ word, summary }) => `${at} -a ${word} -d ${quoted(summary)}`),
    ...flags.map((flag) => `${at} ${flagLine(flag)}`),
    ...first,
  ];
};

const flagLine = (flag: FlagWords) => {
  const short = flag.short === undefined ? "" : ` -s ${flag.short}`;
  const choices = flag.choices === undefined ? "" : ` -a '${flag.choices.join(" ")}'`;
  const value = flag.takesFile ? " -r -F" : flag.takesValue ? " -x" : "";
  return `-l ${flag.long}${short}${value}${choices} -d ${quoted(flag.summary)}`;
};

const quoted = (text: string) =>
  `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
