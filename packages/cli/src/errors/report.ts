import { printable } from "../terminal/safe-text.ts";
import { writeLine } from "../terminal/write.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { nextStep, type Reportable } from "./next-step.ts";

export type { Reportable } from "./next-step.ts";

/**
 * Errors whose message is the whole line, because docs/protocol.md §10 fixes it and scripts compare it. Their next
 * step is in `--json` only.
 */
const messageOnly: ReadonlySet<string> = new Set([
  "LOGIN_CREDENTIAL_FORBIDDEN",
  "LOGIN_METHOD_DISABLED",
  "LOGIN_WORKSPACE_NOT_ALLOWED",
]);

/** Errors whose message is a complete sentence, without "Error …:" before it (docs/protocol.md §13). */
const withoutPrefix: ReadonlySet<string> = new Set([
  "CLI_INPUT_EMPTY",
  "CLI_INPUT_TERMINAL",
  "CLI_OUTPUT_FAILED",
  "CLI_SOURCES_CONFLICT",
]);

/** The error as one line: what happened, then the next step. */
export const errorLine = (prefix: string, error: Reportable): string => {
  const message = printable(error.message);
  if (messageOnly.has(error.code)) return message;
  const told = withoutPrefix.has(error.code) ? message : `${prefix}: ${message}`;
  const step = nextStep(error);
  if (step === undefined || message.includes(step)) return told;
  return `${/[.!?]$/u.test(told) ? told : `${told}.`} ${printable(step)}`;
};

/** 4 if only a new sign-in helps, so that a script can distinguish this from a transient failure; else 1. */
export const exitCodeOf = (error: Reportable): ExitCode => {
  if (error.exitCode !== undefined) return error.exitCode;
  const needsSignIn = error.remedy === "signIn" && !messageOnly.has(error.code);
  return needsSignIn ? exitCode.signInNeeded : exitCode.failed;
};

/** Prints the error to stderr and returns the exit code of the process. */
export const reportError = (prefix: string, error: Reportable): ExitCode => {
  writeLine(errorLine(prefix, error));
  return exitCodeOf(error);
};

/** An error in JSON answers, as documented in docs/json-output.md. */
export const errorToJson = (error: Reportable) => ({
  code: error.code,
  message: printable(error.message),
  hint: nextStep(error) ?? null,
  remedy: error.remedy ?? null,
});
