import { wrapText } from "../terminal/layout.ts";
import { type CommandSpec, type FlagSpec, type FlagTable, globalFlags } from "./command-spec.ts";

const PROGRAM = "agent-auth";

/** How a page is printed. */
export interface HelpStyle {
  /** Columns that a line may have; only examples and single long words are longer. */
  readonly width: number;
  readonly colour: boolean;
}

const plain: HelpStyle = { width: 80, colour: false };

/** The help of one command, ending in a newline. */
export const commandHelp = (
  spec: CommandSpec,
  {
    withHidden = false,
    style = plain,
  }: { readonly withHidden?: boolean; readonly style?: HelpStyle } = {},
): string => {
  const { section, columns, paragraphs } = printer(style);
  return page([
    `${[PROGRAM, ...spec.path].join(" ")} - ${spec.summary}`,
    section("USAGE", [`  ${usage(spec)}`]),
    section("DESCRIPTION", paragraphs(spec.description)),
    section("ARGUMENTS", columns(spec.args.map((arg) => [arg.name, arg.summary] as const))),
    section("FLAGS", [
      ...columns(flagRows(spec.flags, withHidden)),
      ...(withHidden ? [] : pointerToHidden(spec)),
    ]),
    section("FLAGS OF EVERY COMMAND", columns(flagRows(globalFlags, withHidden))),
    section("EXIT CODES", columns(exitCodeRows(spec))),
    section("EXAMPLES", exampleLines(spec, style)),
  ]);
};

/** The help of the program: what it is, and every command in one line. */
export const programHelp = (specs: readonly CommandSpec[], style = plain): string => {
  const { section, columns } = printer(style);
  return page([
    `${PROGRAM} - sign in to Codex as a person or agent, send authenticated requests`,
    section("USAGE", [`  ${PROGRAM} <command> [flags]`]),
    section("COMMANDS", columns(commandRows(specs))),
    section(
      "FLAGS OF EVERY COMMAND",
      columns([...flagRows(globalFlags, false), ["-V, --version", "print the version"]]),
    ),
    section("ENVIRONMENT", columns(variables)),
    section("EXIT CODES", columns(Object.entries({ ...usualExitCodes, ...signInExitCode }))),
    section("LEARN MORE", [`  ${PROGRAM} <command> --help`]),
  ]);
};

/** The help of a group: the commands that share their first word. */
export const groupHelp = (
  group: string,
  specs: readonly CommandSpec[],
  {
    summary = "",
    style = plain,
  }: { readonly summary?: string | undefined; readonly style?: HelpStyle } = {},
): string => {
  const { section, columns } = printer(style);
  return page([
    `${PROGRAM} ${group} - ${summary}`,
    section("USAGE", [`  ${PROGRAM} ${group} <command> [flags]`]),
    section("COMMANDS", columns(commandRows(specs))),
    section("LEARN MORE", [`  ${PROGRAM} ${group} <command> --help`]),
  ]);
};

const page = (sections: readonly string[]) =>
  `${sections.filter((text) => text !== "").join("\n\n")}\n`;

const commandRows = (specs: readonly CommandSpec[]) =>
  specs.map((spec) => [spec.path.join(" "), spec.summary] as const);

const variables = [
  ["CODEX_HOME", "folder of auth.json and config.toml; default ~/.codex"],
  [
    "CODEX_API_KEY, CODEX_AGENT_IDENTITY, CODEX_ACCESS_TOKEN",
    "a credential: the first one that is set is used instead of the stored one",
  ],
  [
    "OPENAI_FEDERATION_RULE_ID, OPENAI_IDENTITY_TOKEN_FILE",
    "a workload identity (docs/keyless-ci.md), used instead of every other credential",
  ],
  ["AGENT_AUTH_STORE", "URL of a database that hosts share (docs/many-hosts.md)"],
  ["CODEX_CA_CERTIFICATE", "file of additional root certificates (PEM)"],
  ["HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY", "proxies; loopback is reached without one"],
  ["BROWSER", "the browser that login opens; none disables it"],
  ["NO_COLOR", "no colours"],
] as const;

const pointerToHidden = ({ flags, path }: CommandSpec): readonly string[] =>
  Object.values(flags).some((flag) => flag.hidden === true)
    ? [`  For rarely needed flags: ${[PROGRAM, ...path].join(" ")} --help --verbose`]
    : [];

const usualExitCodes: Readonly<Record<string, string>> = {
  0: "done",
  1: "failed; the last line on stderr says why and what to do",
  2: "invalid command line, or cancelled with Ctrl-C",
};

const signInExitCode: Readonly<Record<string, string>> = { 4: "a sign-in is needed" };

const exitCodeRows = (spec: CommandSpec) =>
  Object.entries({
    ...usualExitCodes,
    ...(spec.mayNeedSignIn === true ? signInExitCode : {}),
    ...spec.exitCodes,
  });

const usage = (spec: CommandSpec): string => {
  const flags = Object.keys(spec.flags).length > 0 ? ["[flags]"] : [];
  const separator = spec.passesThrough === true ? ["--"] : [];
  const args = spec.args.map((arg) => {
    const name = `${arg.name}${arg.variadic === true ? "…" : ""}`;
    return arg.required ? `<${name}>` : `[${name}]`;
  });
  return [PROGRAM, ...spec.path, ...flags, ...separator, ...args].join(" ");
};

const flagRows = (table: FlagTable, withHidden: boolean): readonly (readonly [string, string])[] =>
  Object.entries(table)
    .filter(([, flag]) => withHidden || flag.hidden !== true)
    .map(([name, flag]) => [flagName(name, flag), flagSummary(flag)] as const);

const flagName = (name: string, flag: FlagSpec) => {
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  return `${short}--${name}${flag.value === undefined ? "" : ` ${flag.value}`}`;
};

const flagSummary = (flag: FlagSpec) =>
  `${flag.summary}${flag.multiple === true ? "; may be given several times" : ""}`;

const exampleLines = (spec: CommandSpec, { width }: HelpStyle) =>
  spec.examples.flatMap((example, at) => [
    ...(at === 0 ? [] : [""]),
    ...wrapText(example.does, width - 4).map((line) => `  # ${line}`),
    `  $ ${example.line}`,
  ]);

const printer = ({ width, colour }: HelpStyle) => {
  const paint = (code: string, text: string) => (colour ? `\u001b[${code}m${text}\u001b[m` : text);
  return {
    section: (title: string, lines: readonly string[]) =>
      lines.length === 0 ? "" : `${paint("1", title)}\n${lines.join("\n")}`,
    paragraphs: (texts: readonly string[]) =>
      texts.flatMap((text, at) => [
        ...(at === 0 ? [] : [""]),
        ...wrapText(text, width - 2).map((line) => `  ${line}`),
      ]),
    /** Two columns. A left cell that is too wide gets its own line. */
    columns: (rows: readonly (readonly [string, string])[]): readonly string[] => {
      const indent = Math.min(26, Math.max(0, ...rows.map(([left]) => left.length)) + 4);
      const padding = " ".repeat(indent);
      return rows.flatMap(([left, right]) => {
        const [first = "", ...rest] = wrapText(right, width - indent);
        const gap = " ".repeat(Math.max(0, indent - 2 - left.length));
        const head =
          left.length + 4 > indent
            ? [`  ${paint("36", left)}`, `${padding}${first}`]
            : [`  ${paint("36", left)}${gap}${first}`];
        return [...head, ...rest.map((line) => padding + line)];
      });
    },
  };
};
