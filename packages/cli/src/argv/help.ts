import { type CommandSpec, type FlagSpec, type FlagTable, globalFlags } from "./command-spec.ts";
import { wrapText } from "../terminal/layout.ts";

const WIDTH = 80;
const PROGRAM = "agent-auth";

/** The manual page of one command, for a terminal: at most 80 columns, ending in a newline. */
export const commandHelp = (spec: CommandSpec, withHidden = false): string => {
  const sections = [
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
    section("EXAMPLES", exampleLines(spec)),
  ];
  return `${sections.filter((text) => text !== "").join("\n\n")}\n`;
};

/** The first page: what the program is, and every command in one line. */
export const programHelp = (specs: readonly CommandSpec[]): string => {
  const rows = specs.map((spec) => [spec.path.join(" "), spec.summary] as const);
  const sections = [
    `${PROGRAM} - sign in to Codex, as a person or as an agent, and send requests`,
    section("USAGE", [`  ${PROGRAM} <command> [flags]`]),
    section("COMMANDS", columns(rows)),
    section(
      "FLAGS OF EVERY COMMAND",
      columns([...flagRows(globalFlags, false), ["-V, --version", "print the version"]]),
    ),
    section("ENVIRONMENT", columns(variables)),
    section("EXIT CODES", columns(Object.entries({ ...usualExitCodes, ...signInExitCode }))),
    section("LEARN MORE", [`  ${PROGRAM} <command> --help`]),
  ];
  return `${sections.join("\n\n")}\n`;
};

const variables = [
  ["CODEX_HOME", "folder of auth.json and config.toml; default ~/.codex"],
  [
    "CODEX_API_KEY, CODEX_AGENT_IDENTITY, CODEX_ACCESS_TOKEN",
    "a credential: the first that is set is used instead of a stored one",
  ],
  ["CODEX_CA_CERTIFICATE", "file of further root certificates (PEM)"],
  ["HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "proxies; loopback is reached without one"],
  ["BROWSER", "the browser that login opens; none for none"],
  ["NO_COLOR", "no colours"],
] as const;

/** The page of commands that share their first word. */
export const groupHelp = (group: string, specs: readonly CommandSpec[], summary = ""): string => {
  const rows = specs.map((spec) => [spec.path.join(" "), spec.summary] as const);
  const sections = [
    `${PROGRAM} ${group} - ${summary}`,
    section("USAGE", [`  ${PROGRAM} ${group} <command> [flags]`]),
    section("COMMANDS", columns(rows)),
    section("LEARN MORE", [`  ${PROGRAM} ${group} <command> --help`]),
  ];
  return `${sections.join("\n\n")}\n`;
};

const pointerToHidden = ({ flags, path }: CommandSpec): readonly string[] =>
  Object.values(flags).some((flag) => flag.hidden === true)
    ? [`  For flags that are rarely needed: ${[PROGRAM, ...path].join(" ")} --help --verbose`]
    : [];

const usualExitCodes: Readonly<Record<string, string>> = {
  0: "done",
  1: "failed; the last line on stderr says why and what to do",
  2: "the command line makes no sense, or you cancelled with Ctrl-C",
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

const exampleLines = (spec: CommandSpec) =>
  spec.examples.flatMap((example, at) => [
    ...(at === 0 ? [] : [""]),
    ...wrapText(example.does, WIDTH - 4).map((line) => `  # ${line}`),
    `  $ ${example.line}`,
  ]);

const section = (title: string, lines: readonly string[]) =>
  lines.length === 0 ? "" : `${title}\n${lines.join("\n")}`;

const paragraphs = (texts: readonly string[]) =>
  texts.flatMap((text, at) => [
    ...(at === 0 ? [] : [""]),
    ...wrapText(text, WIDTH - 2).map((line) => `  ${line}`),
  ]);

/** Two columns; a left cell that is too wide gets a line of its own. */
const columns = (rows: readonly (readonly [string, string])[]): readonly string[] => {
  const indent = Math.min(26, Math.max(0, ...rows.map(([left]) => left.length)) + 4);
  return rows.flatMap(([left, right]) => {
    const [first = "", ...rest] = wrapText(right, WIDTH - indent);
    const padding = " ".repeat(indent);
    const head =
      left.length + 4 > indent
        ? [`  ${left}`, `${padding}${first}`]
        : [`  ${left}`.padEnd(indent) + first];
    return [...head, ...rest.map((line) => padding + line)];
  });
};
