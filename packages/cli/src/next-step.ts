import type { Reportable } from "./report-error.ts";

const signIn = "Run: agent-auth login";
const signInByCode = "agent-auth login --device-auth";
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
  LOGIN_CALLBACK_PORTS_TAKEN: `Stop the program that uses one of them, or run: ${signInByCode}`,
  LOGIN_SIGN_IN_TIMED_OUT: `${signIn} (or, without a browser here: ${signInByCode})`,
  LOGIN_DEVICE_CODE_EXPIRED: `For a new code, run: ${signInByCode}`,
  LOGIN_DEVICE_CODE_NOT_ENABLED: `${signIn} (with a browser)`,
};

/** Deeds that stand for a whole class of errors. */
const deeds: Readonly<Record<string, string>> = {
  "Sign in.": signIn,
  "Sign in again.": signIn,
  "Start the sign-in again.": signIn,
};

export const nextStep = (error: Reportable): string | undefined =>
  steps[error.code] ?? (error.hint === undefined ? undefined : (deeds[error.hint] ?? error.hint));

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
