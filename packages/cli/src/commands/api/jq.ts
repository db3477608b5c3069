import * as Effect from "effect/Effect";
import { CliError } from "../../errors/cli-error.ts";
import { hasColour, isTerminal } from "../../terminal/is-terminal.ts";
import { layOutJson } from "../../terminal/json-layout.ts";
import { printable } from "../../terminal/safe-text.ts";
import { makeTerminalFilter } from "../../terminal/terminal-filter.ts";

/** A jq expression that is ready to run. */
export interface JqProgram {
  /**
   * What the expression selects from a response: strings as they are, other values as JSON, one a line.
   *
   * @throws CliError if the response is not JSON or the expression does not fit it
   */
  readonly run: (body: string) => string;
}

/** jq's exit code for an expression that does not compile. */
const DOES_NOT_COMPILE = 3;

/** Loads jq, an optional dependency, and compiles the expression: a wrong one fails before anything is sent. */
export const loadJqProgram = Effect.fnUntraced(function* (expression: string) {
  const jq = yield* Effect.tryPromise({
    try: async () => (await import("jq-wasm")).loadJq(),
    catch: () => jqMissing,
  });
  const compiled = jq.raw("null", `empty | (${expression}\n)`);
  if (compiled.exitCode === DOES_NOT_COMPILE) {
    return yield* jqError("the --jq expression does not compile", compiled.stderr);
  }
  const isShown = isTerminal(1);
  const colour = hasColour(1);
  const lineText = (line: string): string => {
    const value: unknown = line.startsWith('"') ? JSON.parse(line) : undefined;
    if (!isShown) return typeof value === "string" ? value : line;
    return typeof value === "string"
      ? filtered(value)
      : (layOutJson(line, { colour }) ?? filtered(line));
  };
  const program: JqProgram = {
    run: (body) => {
      // jq runs to its end without a turn of the event loop, so only the default action of Ctrl-C can stop it.
      process.removeAllListeners("SIGINT");
      const { stdout, stderr, exitCode } = jq.raw(body, expression, ["-c"]);
      if (exitCode !== 0) throw jqError("--jq failed on the response", stderr);
      return stdout === "" ? "" : `${stdout.trimEnd().split("\n").map(lineText).join("\n")}\n`;
    },
  };
  return program;
});

const jqMissing = new CliError({
  code: "CLI_JQ_FAILED",
  message: "the package jq-wasm, which --jq needs, is not installed",
  hint: "Install @agent-auth/cli with its optional dependencies, or pipe the response to jq.",
});

const jqError = (what: string, stderr: string) => {
  const [first = ""] = stderr
    .replace(/^jq: (?:error(?: \(at [^)]*\))?: )?/u, "")
    .split(/ at <top-level>|:?\n/u, 1);
  return new CliError({
    code: "CLI_JQ_FAILED",
    message: `${what}: ${printable(first)}`,
    hint: "Correct the expression after --jq.",
  });
};

const filtered = (text: string): string => {
  const filter = makeTerminalFilter();
  return filter.push(text) + filter.end();
};
