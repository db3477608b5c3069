import type { LoginEnvironment } from "@agent-auth/login/config/environment";

/** The variable that rules every request; `undefined` where none is set. */
export const overridingEnvVar = (environment: LoginEnvironment): string | undefined => {
  if (environment.apiKey !== undefined) return "CODEX_API_KEY";
  if (environment.agentIdentity !== undefined) return "CODEX_AGENT_IDENTITY";
  return environment.accessToken === undefined ? undefined : "CODEX_ACCESS_TOKEN";
};
