import { nextStep, type Reportable } from "../errors/next-step.ts";
import { printable } from "../terminal/safe-text.ts";

export type CheckStatus = "ok" | "warn" | "fail";

/** One line of a diagnosis. */
export interface Check {
  /** Stable, for scripts. */
  readonly name: string;
  readonly status: CheckStatus;
  readonly detail: string;
  /** What fixes it: a command, or a sentence. Present on most lines that are not ok. */
  readonly fix?: string;
}

export const ok = (name: string, detail: string): Check => ({ name, status: "ok", detail });

export const warn = (name: string, detail: string, fix?: string): Check => ({
  name,
  status: "warn",
  detail,
  ...(fix !== undefined && { fix }),
});

/** A check that ended with one of our errors. */
export const failed = (name: string, error: Reportable, status: CheckStatus = "fail"): Check => {
  const fix = nextStep(error, { inDoctor: true });
  return {
    name,
    status,
    detail: printable(error.message),
    ...(fix !== undefined && { fix: printable(fix) }),
  };
};
