import type { Reportable } from "./report-error.ts";

const signIn = "Run: agent-auth login";
const diagnose = "Run: agent-auth doctor";

/**
 * The packages underneath say what has to be done ("Sign in again."), without knowing any command line. This table
 * turns those deeds into commands. A code that is not here keeps its own hint.
 */
const steps: Readonly<Record<string, string>> = {
  LOGIN_NOT_SIGNED_IN: signIn,
  PROVIDER_SIGN_IN_REQUIRED: signIn,
  LOGIN_REFRESH_REJECTED: signIn,
  LOGIN_REFRESH_ACCOUNT_CHANGED: signIn,
  LOGIN_REFRESH_FAILED: `Try again; if it stays, ${lower(diagnose)}`,
};

/** Deeds that stand for a whole class of errors. */
const deeds: Readonly<Record<string, string>> = {
  "Sign in.": signIn,
  "Sign in again.": signIn,
};

export const nextStep = (error: Reportable): string | undefined =>
  steps[error.code] ?? (error.hint === undefined ? undefined : (deeds[error.hint] ?? error.hint));

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
