import { type CommandWords, program } from "./words.ts";

/** A completion script for bash 4 and later, for `eval` or a file in bash-completion's folder. */
export const bashScript = (
  commands: readonly CommandWords[],
): string => `# bash completion for ${program}
_agent_auth() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path="" word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    [[ $word == -- ]] && { compopt -o default; return; }
    [[ $word == -* ]] && continue
    case "\${path:+$path }$word" in
      ${pathPattern(commands)}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path:$prev" in
${commands.flatMap(valueCases).join("\n")}
  esac
  case "$path" in
${commands.map(wordCase).join("\n")}
  esac
}
_agent_auth_accounts() {
  local folder name
  for folder in "\${CODEX_HOME:-$HOME/.codex}"/accounts/*/; do
    name=$(basename "$folder")
    # compgen -W expands its words, so a name that contains a command would run that command.
    [[ -d $folder && $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] && echo "$name"
  done
}
complete -F _agent_auth ${program}
`;

const pathPattern = (commands: readonly CommandWords[]) =>
  commands
    .filter(({ path }) => path !== "")
    .map(({ path }) => `"${path}"`)
    .join("|");

/** Returns the `case` branches that complete the values of a command's flags. */
const valueCases = ({ path, flags }: CommandWords): readonly string[] =>
  flags
    .filter((flag) => flag.takesValue)
    .map((flag) => {
      const names = [`--${flag.long}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])];
      const pattern = names.map((name) => `"${path}:${name}"`).join("|");
      const reply = flag.takesFile
        ? 'COMPREPLY=($(compgen -f -- "$cur"))'
        : `COMPREPLY=($(compgen -W "${flag.choices?.join(" ") ?? ""}" -- "$cur"))`;
      return `    ${pattern}) ${reply}; return ;;`;
    });

const wordCase = ({ path, subcommands, flags, argument }: CommandWords) => {
  const words = [...subcommands.map(({ word }) => word), ...flags.map(({ long }) => `--${long}`)];
  const more = {
    account: " $(_agent_auth_accounts)",
    shell: " bash zsh fish",
    file: "",
    none: "",
  }[argument ?? "none"];
  const files = argument === "file" ? ' $(compgen -f -- "$cur")' : "";
  return `    "${path}") COMPREPLY=($(compgen -W "${words.join(" ")}${more}" -- "$cur")${files}) ;;`;
};
