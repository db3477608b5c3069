import { nextStep } from "../../errors/next-step.ts";
import { exitCode, type ExitCode } from "../../errors/exit-code.ts";
import { type Reportable, reportError } from "../../errors/report.ts";

/**
 * Prints why a sign-in failed and returns the exit code: 1 for every failure, because "a sign-in is needed" (4) would
 * not help someone who just tried one. 2 if another sign-in on this machine asked this one to stop.
 */
export const reportFailedSignIn = (prefix: string, error: Reportable): ExitCode => {
  const { code, message } = error;
  // Another sign-in is running, so there is no next step.
  if (code === "LOGIN_SIGN_IN_CANCELLED") {
    const stopped = {
      code,
      message,
      remedy: "retry",
      exitCode: exitCode.usageOrCancelled,
    } as const;
    return reportError(prefix, stopped);
  }
  const step = nextStep(error);
  return reportError(prefix, { code, message, nextStep: step, exitCode: exitCode.failed });
};
