import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import type { ExitCode } from "./exit-code.ts";

/**
 * A failure of the command line itself. `message` says what happened; `hint` is the next step, already with the command
 * that does it. Failures of the lower packages keep their own classes.
 */
export class CliError extends Data.TaggedError("CliError")<{
  readonly code: CliErrorCode;
  readonly message: string;
  readonly hint?: string;
  /** Default: 1. */
  readonly exitCode?: ExitCode;
}> {
  get remedy(): Remedy {
    return remedies[this.code];
  }
}

<<<<<<< HEAD
const remedies = {
  CLI_ACCOUNT_EXISTS: "fixInput",
  CLI_ACCOUNT_FOLDER: "fixStore",
  CLI_ACCOUNT_IN_USE: "fixInput",
  CLI_ACCOUNT_NOT_KEPT: "fixInput",
  CLI_ACCOUNT_UNKNOWN: "fixInput",
  CLI_ACCOUNT_UNREADABLE: "fixStore",
  CLI_CREDENTIAL_NOT_EXPORTABLE: "fixInput",
  CLI_INPUT_EMPTY: "fixInput",
  CLI_INPUT_FILE: "fixInput",
  CLI_INPUT_NOT_ONE_LINE: "fixInput",
  CLI_INPUT_TERMINAL: "fixInput",
  CLI_INPUT_TOO_LONG: "fixInput",
  CLI_JQ_FAILED: "fixInput",
  CLI_NO_TOKEN: "fixConfig",
  CLI_NO_USABLE_KEY: "fixInput",
  CLI_OUTPUT_FAILED: "retry",
  CLI_PORT: "fixInput",
  CLI_PROGRAM_NOT_STARTED: "fixInput",
  CLI_REQUEST_FAILED: "fixNetwork",
  CLI_SOURCES_CONFLICT: "fixInput",
} as const satisfies Record<`CLI_${string}`, Remedy>;

/** Every `code` of a failure of the command line itself. */
export type CliErrorCode = keyof typeof remedies;
=======
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
  | "CLI_PROXY_SOCKET"
  | "CLI_PROXY_TOKEN_FILE"
  | "CLI_REQUEST_FAILED"
  | "CLI_SOURCES_CONFLICT";
>>>>>>> 4073482 (proxy: keep browsers, cookies and other users out; client tokens, Unix sockets, health checks; back-pressure for rejected upgrades)
