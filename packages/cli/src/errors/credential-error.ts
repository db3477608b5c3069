import { overridingEnvVar, parseEnvironment } from "@agent-auth/login/config/environment";
import type { Reportable } from "./report.ts";

/**
 * What a command says of a credential that it could not use. Which token is meant is plain where it was piped in, but
 * not where it was found: so the hint says where a better one belongs, and names no sign-in that a variable overrules.
 */
export const explainCredentialError = (error: Reportable): Reportable => {
  const { code, message, hint } = error;
  if (hint === undefined) return error;
  const variable = overridingEnvVar(parseEnvironment(process.env, { homeDir: "" }), {
    environmentCredentials: true,
  });
  if (code.startsWith("AGENT_IDENTITY_JWT_") && asksForToken.test(hint)) {
    const place = variable === undefined ? signIn : `It belongs in ${variable}.`;
    return { code, message, hint: `${hint} ${place}` };
  }
  return variable !== undefined && asksForSignIn.test(hint)
    ? { ...error, code, message, hint: `Correct or unset ${variable}.` }
    : error;
};

const asksForToken = /^(?:Get|Pass|Use) /u;
const asksForSignIn = /^Sign in\b/u;
const signIn = "Then run: agent-auth login --with-agent-identity";
