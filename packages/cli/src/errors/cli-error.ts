import * as Data from "effect/Data";
import type { ExitCode } from "./exit-code.ts";

/**
 * Something this front door itself refuses. `message` says what happened, `hint` the next operation. Failures of the
 * packages underneath keep their own classes.
 */
export class CliError extends Data.TaggedError("CliFailure")<{
  readonly code: CliErrorCode;
  readonly message: string;
  readonly hint?: string;
  /** Default: 1. */
  readonly exitCode?: ExitCode;
}> {}

export type CliErrorCode =
  | "CLI_ACCOUNT_EXISTS"
  | "CLI_ACCOUNT_FOLDER"
  | "CLI_ACCOUNT_IN_USE"
  | "CLI_ACCOUNT_NAME"
  | "CLI_ACCOUNT_NOT_KEPT"
  | "CLI_ACCOUNT_UNKNOWN"
  | "CLI_ACCOUNT_UNREADABLE"
  | "CLI_CREDENTIAL_NOT_EXPORTABLE"
  | "CLI_INPUT_EMPTY"
  | "CLI_INPUT_FILE"
  | "CLI_INPUT_NOT_ONE_LINE"
  | "CLI_INPUT_TERMINAL"
  | "CLI_INPUT_TOO_LONG"
  | "CLI_NO_TOKEN"
  | "CLI_NO_USABLE_KEY"
  | "CLI_OUTPUT_FAILED"
  | "CLI_PORT"
  | "CLI_PROGRAM_NOT_STARTED"
  | "CLI_REQUEST_FAILED"
  | "CLI_SOURCES_CONFLICT";
