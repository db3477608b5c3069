import { type CommandWords, type FlagWords, program } from "./words.ts";

/** A completion script for zsh, for a file named _agent-auth in $fpath or for `source <(…)`. */
export const zshScript = (commands: readonly CommandWords[]): string => `#compdef ${program}
_agent_auth() {
  local at="" word
  integer i
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    [[ $word == -- ]] && { _normal; return; }
    [[ $word == -* ]] && continue
    case "\${at:+$at }$word" in
      (${pathPattern(commands)}) at="\${at:+$at }$word" ;;
    esac
  done
  local -a subcommands flags accounts
  accounts=(\${CODEX_HOME:-$HOME/.codex}/accounts/*(N/:t))
  case "$at:\${words[CURRENT-1]}" in
${commands.flatMap(valueCases).join("\n")}
  esac
  case "$at" in
${commands.map(pathCase).join("\n")}
  esac
  [[ $PREFIX == -* ]] || _describe command subcommands
  _describe -o flag flags
}
if [[ $funcstack[1] == _agent_auth ]]; then _agent_auth "$@"; else compdef _agent_auth ${program}; fi
`;

const pathPattern = (commands: readonly CommandWords[]) =>
  commands
    .filter(({ path }) => path !== "")
    .map(({ path }) => quoted(path))
    .join("|");

/** Returns the possible values of a flag. */
const valueCases = ({ path, flags }: CommandWords): readonly string[] =>
  flags
    .filter((flag) => flag.takesValue)
    .map((flag) => {
      const names = [`--${flag.long}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])];
      const choices = flag.choices === undefined ? ":" : `compadd ${flag.choices.join(" ")}`;
      const pattern = names.map((name) => quoted(`${path}:${name}`)).join("|");
      return `    (${pattern}) ${flag.takesFile ? "_files" : choices}; return ;;`;
    });

const pathCase = ({ path, subcommands, flags, argument }: CommandWords) => {
  const names = subcommands.map(({ word, summary }) => quoted(`${word}:${summary}`)).join(" ");
  const more = {
    account: "compadd -a accounts",
    shell: "compadd bash zsh fish",
    file: "_files",
    none: ":",
  }[argument ?? "none"];
  return `    (${quoted(path)}) subcommands=(${names}); flags=(${flags.map(described).join(" ")}); ${more} ;;`;
};

const described = (flag: FlagWords) => quoted(`--${flag.long}:${flag.summary}`);

/** In single quotes, with a colon inside a summary kept from being read as a separator. */
const quoted = (text: string) => {
  const [head = "", ...rest] = text.split(":");
  const escaped = rest.length === 0 ? head : `${head}:${rest.join("\\:")}`;
  return `'${escaped.replaceAll("'", String.raw`'\''`)}'`;
};
