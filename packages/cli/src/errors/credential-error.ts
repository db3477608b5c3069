import { overridingEnvVar, parseEnvironment } from "@agent-auth/login/config/environment";
import type { CredentialForbidden, ForbiddenByAdministrator } from "@agent-auth/login/errors";
import { nextStep } from "./next-step.ts";
import { exitCodeOf, type Reportable } from "./report.ts";

/**
 * An error about the credential that a command loaded, with a next step for the place where it was found: if an
 * environment variable provides it, a new sign-in would change nothing.
 */
export const explainCredentialError = (error: Reportable): Reportable => {
  const { code, message, hint = "" } = error;
  const variable = overridingEnvVar(parseEnvironment(process.env, { homeDir: "" }), {
    environmentCredentials: true,
  });
  const explained = { code, message, exitCode: exitCodeOf(error) };
  const isTokenAtFault = error.remedy === "signIn" || error.remedy === "fixInput";
  if (code.startsWith("AGENT_IDENTITY_JWT_") && isTokenAtFault) {
    return variable === undefined
      ? { ...explained, remedy: "signIn", nextStep: `${hint} Then run: ${agentLogin}`.trim() }
      : { ...explained, remedy: "fixEnvironment", nextStep: `${hint} Set it in ${variable}.` };
  }
  return error.remedy === "signIn" && variable !== undefined
    ? { ...explained, remedy: "fixEnvironment", nextStep: `Correct or unset ${variable}.` }
    : error;
};

const agentLogin = "agent-auth login --with-agent-identity";

/**
 * The error of a restriction for a command that changes nothing. Its text is fixed and ends with "Logging out.",
 * although such a command does not log out.
 */
export const withoutLogout = (
  error: CredentialForbidden | ForbiddenByAdministrator,
): Reportable => ({
  code: error.code,
  message: error.message.replace(/ Logging out\.$/u, ""),
  remedy: error.remedy,
  nextStep: nextStep(error),
});
