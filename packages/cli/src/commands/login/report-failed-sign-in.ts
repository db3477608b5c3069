import { exitCode, type ExitCode } from "../../errors/exit-code.ts";
import { type Reportable, reportError } from "../../errors/report.ts";

/**
 * Tells a person that no sign-in came of it, and answers the exit code: 1, whatever the credential lacked, since "a
 * sign-in is needed" tells nothing to who has just tried one. Where another sign-in on this machine asked this one to
 * stop, which is no failure, 2.
 */
export const reportFailedSignIn = (prefix: string, error: Reportable): ExitCode => {
  const { code, message, hint } = error;
  const isStopped = code === "LOGIN_SIGN_IN_CANCELLED";
  return reportError(prefix, {
    code,
    message,
    ...(!isStopped && { hint }),
    exitCode: isStopped ? exitCode.usageOrCancelled : exitCode.failed,
  });
};
