import { exitCode, type ExitCode } from "./exit-code.ts";
import { nextStep } from "./next-step.ts";
import { printable } from "../terminal/safe-text.ts";
import { writeLine } from "../terminal/write.ts";

/** What every typed error of this project has. */
export interface Reportable {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly exitCode?: ExitCode | undefined;
}

/**
 * Texts that docs/protocol.md §10 gives to the letter: the whole line, which scripts compare. Their hint is in
 * `--json` only.
 */
const toTheLetter: ReadonlySet<string> = new Set([
  "LOGIN_CREDENTIAL_FORBIDDEN",
  "LOGIN_METHOD_DISABLED",
  "LOGIN_WORKSPACE_NOT_ALLOWED",
]);

/** Texts that are whole sentences of their own and stand without "Error …:" before them (docs/protocol.md §13). */
const standsAlone: ReadonlySet<string> = new Set([
  "CLI_INPUT_EMPTY",
  "CLI_INPUT_TERMINAL",
  "CLI_OUTPUT_FAILED",
  "CLI_SOURCES_CONFLICT",
]);

/** Only a new sign-in helps, so a script can tell this from a failure that may pass. */
const needsSignIn: ReadonlySet<string> = new Set([
  "AGENT_IDENTITY_JWT_EXPIRED",
  "LOGIN_NOT_SIGNED_IN",
  "LOGIN_REFRESH_REJECTED",
  "LOGIN_REFRESH_ACCOUNT_CHANGED",
  "LOGIN_PERSONAL_ACCESS_TOKEN_REJECTED",
  "PROVIDER_SIGN_IN_REQUIRED",
]);

/**
 * The error as one line: what happened, then the next operation as a command of ours, but for a text that stands to the
 * letter. Never more than one line.
 */
export const errorLine = (prefix: string, error: Reportable): string => {
  const message = printable(error.message);
  if (toTheLetter.has(error.code)) return message;
  const told = standsAlone.has(error.code) ? message : `${prefix}: ${message}`;
  const hint = nextStep(error);
  if (hint === undefined || message.includes(hint)) return told;
  return `${/[.!?]$/u.test(told) ? told : `${told}.`} ${printable(hint)}`;
};

export const exitCodeOf = (error: Reportable): ExitCode =>
  error.exitCode ?? (needsSignIn.has(error.code) ? exitCode.signInNeeded : exitCode.failed);

/** Tells a person, on stderr, and says how the process should end. */
export const reportError = (prefix: string, error: Reportable): ExitCode => {
  writeLine(errorLine(prefix, error));
  return exitCodeOf(error);
};

/** An error in JSON answers, as documented in docs/json-output.md. */
export const errorToJson = (error: Reportable) => ({
  code: error.code,
  message: printable(error.message),
  hint: nextStep(error) ?? null,
});
