import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import type { ExitCode } from "./exit-code.ts";

/**
 * A failure of the command line itself. `message` says what happened; `hint` is the next step, including the command
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

const remedies = {
  CLI_ACCOUNT_IN_USE: "fixInput",
  CLI_APP_SERVER_AUTH_FLAGS: "fixInput",
  CLI_APP_SERVER_NO_TRANSPORT: "fixInput",
  CLI_APP_SERVER_OUTPUT_FOLDER: "fixInput",
  CLI_APP_SERVER_SOCKET: "fixInput",
  CLI_CREDENTIAL_NOT_EXPORTABLE: "fixInput",
  CLI_INPUT_EMPTY: "fixInput",
  CLI_INPUT_FILE: "fixInput",
  CLI_INPUT_NOT_ONE_LINE: "fixInput",
  CLI_INPUT_TERMINAL: "fixInput",
  CLI_INPUT_TOO_LONG: "fixInput",
  CLI_JQ_FAILED: "fixInput",
  CLI_NOTHING_TO_REFRESH: "fixInput",
  CLI_NO_GATEWAY: "fixConfig",
  CLI_NO_TOKEN: "fixConfig",
  CLI_NO_USABLE_KEY: "fixInput",
  CLI_OUTPUT_FAILED: "retry",
  CLI_PORT: "fixInput",
  CLI_PROGRAM_NOT_STARTED: "fixInput",
  CLI_PROXY_SOCKET: "fixInput",
  CLI_PROXY_TOKEN_FILE: "fixInput",
  CLI_REQUEST_FAILED: "fixNetwork",
  CLI_SOURCES_CONFLICT: "fixInput",
  CLI_STORE_KEYS_MISSING: "fixConfig",
} as const satisfies Record<`CLI_${string}`, Remedy>;

/** Every `code` of a failure of the command line itself. */
export type CliErrorCode = keyof typeof remedies;
