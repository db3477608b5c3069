import * as Effect from "effect/Effect";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { UsageError } from "../../argv/usage-error.ts";
import { explainCredentialError } from "../../errors/credential-error.ts";
import { errorToJson, reportError } from "../../errors/report.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { signOnce } from "../../request-signing.ts";
import { openSession } from "../../session.ts";
import { isTerminal } from "../../terminal/is-terminal.ts";
import { mask } from "../../terminal/safe-text.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { spec } from "./spec.ts";

export interface HeadersOptions {
  readonly format: "lines" | "json" | "curl";
  readonly show: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, HeadersOptions> = {
  spec,
  options: ({ flags, globals }) => {
    if (flags.json && flags.curl) {
      throw new UsageError("--json and --curl cannot be used together", spec.path);
    }
    const format = flags.json ? "json" : flags.curl ? "curl" : "lines";
    return { format, show: flags.show, globals };
  },
};

/** Prints the headers of the next request. */
export const run = (options: HeadersOptions) =>
  headers(options).pipe(
    Effect.mapError(explainCredentialError),
    Effect.catch((error) =>
      Effect.sync(() => {
        if (options.format === "json") writeJson({ error: errorToJson(error) });
        return reportError("Error getting headers", error);
      }),
    ),
  );

const headers = Effect.fnUntraced(function* (options: HeadersOptions) {
  const session = yield* openSession(options.globals);
  const signed = yield* signOnce(session);
  const isWhole = options.show || !isTerminal(1);
  const shown = Object.entries(signed.toRecord()).map(
    ([name, value]) => [name, isWhole ? value : maskValue(value)] as const,
  );
  switch (options.format) {
    case "lines":
      writeAnswer(shown.map(([name, value]) => `${name}: ${value}\n`).join(""));
      break;
    case "curl":
      writeAnswer(shown.map(([name, value]) => curlLine(name, value)).join(""));
      break;
    case "json":
      writeJson({ baseUrl: signed.target.baseUrl, headers: Object.fromEntries(shown) });
  }
  return exitCode.done;
});

/** The scheme stays readable: `Bearer sk-proj-***ABCDE`. */
const maskValue = (value: string) => {
  const space = value.indexOf(" ");
  return space < 0 ? mask(value) : `${value.slice(0, space)} ${mask(value.slice(space + 1))}`;
};

const curlLine = (name: string, value: string) =>
  `header = "${`${name}: ${value}`.replaceAll(/["\\]/gu, String.raw`\$&`)}"\n`;
