import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { CliError } from "../errors/cli-error.ts";
import { inputFileError } from "../input-file.ts";
import { isTerminal } from "./is-terminal.ts";

const MAX_BYTES = 1024 * 1024;

export interface SecretPrompt {
  /** What the secret is called in messages: `API key`. */
  readonly noun: string;
  /** The flag that asked for it: `--with-api-key`. */
  readonly flag: string;
  /** An example command line, shown if stdin is a terminal. */
  readonly example: string;
}

/**
 * Fails if stdin is a terminal, where the secret would be echoed and would have no clear end.
 *
 * @returns nothing if stdin is a pipe or a file
 */
export const refuseTerminal = (prompt: SecretPrompt): Effect.Effect<void, CliError> =>
  isTerminal(0)
    ? Effect.fail(
        new CliError({
          code: "CLI_INPUT_TERMINAL",
          message: `${prompt.flag} expects the ${prompt.noun} on stdin. Try piping it, e.g. \`${prompt.example}\``,
        }),
      )
    : Effect.void;

/** Reads one secret from stdin: one line, white space and line end trimmed, at most 1 MiB. */
export const readSecret = Effect.fnUntraced(function* (prompt: Pick<SecretPrompt, "noun">) {
  const bytes = yield* readStdin(prompt.noun);
  const text = decodeUtf8(bytes)?.trim();
  if (text === undefined) {
    return yield* new CliError({
      code: "CLI_INPUT_NOT_ONE_LINE",
      message: `the ${prompt.noun} on stdin is not UTF-8 text`,
      hint: `Pipe the ${prompt.noun} alone.`,
    });
  }
  if (text === "") {
    return yield* new CliError({
      code: "CLI_INPUT_EMPTY",
      message: `No ${prompt.noun} provided via stdin.`,
    });
  }
  if (/[\r\n]/u.test(text)) {
    return yield* new CliError({
      code: "CLI_INPUT_NOT_ONE_LINE",
      message: `the ${prompt.noun} on stdin has more than one line`,
      hint: `Pipe the ${prompt.noun} alone, as one line.`,
    });
  }
  return Redacted.make(text, { label: prompt.noun });
});

/** A byte-order mark is dropped: editors on Windows write one. */
const decodeUtf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
};

/** All of stdin, as bytes. Interruption stops the reading. */
export const readStdin = (noun: string, maxBytes = MAX_BYTES) =>
  Effect.tryPromise({
    try: async (signal) => {
      const chunks: Buffer[] = [];
      let size = 0;
      signal.addEventListener("abort", stopReading, { once: true });
      for await (const chunk of process.stdin) {
        const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
        size += bytes.byteLength;
        if (size > maxBytes) throw new RangeError("too long");
        chunks.push(bytes);
      }
      return Buffer.concat(chunks);
    },
    catch: (error) =>
      error instanceof RangeError
        ? new CliError({
            code: "CLI_INPUT_TOO_LONG",
            message: `the ${noun} on stdin is longer than ${maxBytes} bytes`,
            hint: `Pipe the ${noun} alone.`,
          })
        : inputFileError("stdin", error, `Pipe the ${noun} to this command.`),
  });

const stopReading = () => {
  process.stdin.destroy();
};
