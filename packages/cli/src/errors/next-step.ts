import type { Reportable } from "./report.ts";

const login = "agent-auth login";
const logout = "agent-auth logout";
const loginByCode = "agent-auth login --device-auth";
const loginAsAgent = "agent-auth login --with-agent-identity";
const doctor = "agent-auth doctor";

/** Errors whose own hint names no command well enough. */
const steps: Readonly<Record<string, string>> = {
  LOGIN_AUTH_JSON_INVALID: `Correct it, or remove it and sign in again: ${logout} && ${login}`,
  LOGIN_REFRESH_FAILED: `Try again; if it stays, run: ${doctor}`,
  LOGIN_REFRESH_REJECTED: `Run: ${login}`,
  LOGIN_CALLBACK_PORTS_TAKEN: `Stop the program that uses one of them, or run: ${loginByCode}`,
  LOGIN_SIGN_IN_TIMED_OUT: `Run: ${login} (or, without a browser here: ${loginByCode})`,
  LOGIN_DEVICE_CODE_EXPIRED: `For a new code, run: ${loginByCode}`,
  LOGIN_DEVICE_CODE_NOT_ENABLED: `Run: ${login} (with a browser)`,
};

/** Deeds that a command of ours is the whole of. */
const deeds: Readonly<Record<string, string>> = {
  "Sign in.": login,
  "Sign in again.": login,
  "Start the sign-in again.": login,
};

/** Deeds that a command of ours is a part of, by the words they use. The first that fits is added. */
const parts: readonly (readonly [words: RegExp, command: string | null])[] = [
  [/in the program that supplies|start the sign-in again/u, null],
  [/device code/u, loginByCode],
  [/sign in again with a valid agent identity/iu, loginAsAgent],
  [/\bsign in\b/iu, login],
  [
    /^Check (?:the network|the clock of this|the configured base|that the (?:configured )?base)/u,
    doctor,
  ],
];

/** A way that packages offer to programs, and no command has. */
const notOurs = /, or allow plain http explicitly/u;

/**
 * What mends an error, as people can type it. The packages underneath say what has to be done ("Sign in again."),
 * without knowing any command line; this turns deeds into commands. A operation that no command does is kept as it is.
 */
export const nextStep = ({ code, hint: told }: Reportable): string | undefined => {
  const step = steps[code];
  if (step !== undefined) return step;
  const hint = told?.replace(notOurs, "");
  if (hint === undefined || hint.includes("agent-auth ")) return hint;
  const whole = deeds[hint];
  if (whole !== undefined) return `Run: ${whole}`;
  const part = parts.find(([words]) => words.test(hint))?.[1] ?? null;
  return part === null ? hint : `${hint} Run: ${part}`;
};
