import { nextStep } from "../errors/next-step.ts";
import type { Reportable } from "../errors/report.ts";
import { printable } from "../terminal/safe-text.ts";

export type CheckStatus = "ok" | "warn" | "fail";

/** One line of a diagnosis. */
export interface Check {
  /** Stable, for scripts. */
  readonly name: string;
  readonly status: CheckStatus;
  readonly detail: string;
  /** What mends it: a command, or a operation. Present on most lines that are not ok. */
  readonly mend?: string;
}

export const ok = (name: string, detail: string): Check => ({ name, status: "ok", detail });

export const warn = (name: string, detail: string, mend?: string): Check => ({
  name,
  status: "warn",
  detail,
  ...(mend !== undefined && { mend }),
});

/** Elsewhere a hint may lead here; here it would lead in a circle. */
const toDoctor = /(?:; if it stays, run:|\. Run:) agent-auth doctor$/u;

/** What an error of ours says, as a line. */
export const failed = (name: string, error: Reportable, status: CheckStatus = "fail"): Check => {
  const mend = nextStep(error)?.replace(toDoctor, "");
  return {
    name,
    status,
    detail: printable(error.message),
    ...(mend !== undefined && { mend: printable(mend) }),
  };
};
