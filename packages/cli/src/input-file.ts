import { describeSystemError, readRegularFile } from "@agent-auth/login/storage/fs";
import * as Effect from "effect/Effect";
import { CliError } from "./errors/cli-error.ts";

const MAX_BYTES = 1024 * 1024;

/** Reads a file of at most 1 MiB that was named on the command line. `hint` says what to do if it cannot be read. */
export const readInputFile = (path: string, hint: string): Effect.Effect<string, CliError> =>
  Effect.flatMap(
    Effect.promise(() => readRegularFile(path, MAX_BYTES)),
    (found) =>
      "problem" in found
        ? Effect.fail(inputFileError(path, found.problem, hint))
        : Effect.succeed(found.bytes.toString("utf8")),
  );

/** The error for input that cannot be read. `error` is what the system reported, or a reason in words. */
export const inputFileError = (what: string, error: unknown, hint: string): CliError => {
  const reason = typeof error === "string" ? error : describeSystemError(error).reason;
  return new CliError({ code: "CLI_INPUT_FILE", message: `cannot read ${what}: ${reason}`, hint });
};
