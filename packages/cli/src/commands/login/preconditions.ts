import type { Config } from "@agent-auth/login/config";
import type { LoginEnvironment } from "@agent-auth/login/environment";
import { EnvironmentCredentialRules, NothingWouldBeKept } from "@agent-auth/login/errors";
import { checkLoginMethod, type LoginMethod } from "@agent-auth/login/restrictions";
import * as Effect from "effect/Effect";

/**
 * What can be refused before a secret is read, a browser opened or anything sent: a way of signing in that the
 * configuration rules out, a variable that would rule anyway, a store that keeps nothing.
 */
export const checkBeforeSignIn = Effect.fnUntraced(function* (
  method: LoginMethod,
  { config, environment }: { readonly config: Config; readonly environment: LoginEnvironment },
) {
  yield* checkLoginMethod(config, method);
  const variable = rulingVariable(environment);
  if (variable !== undefined) return yield* new EnvironmentCredentialRules({ variable });
  if (config.credentialsStore === "ephemeral") return yield* new NothingWouldBeKept();
});

const rulingVariable = (environment: LoginEnvironment): string | undefined => {
  if (environment.apiKey !== undefined) return "CODEX_API_KEY";
  if (environment.agentIdentity !== undefined) return "CODEX_AGENT_IDENTITY";
  return environment.accessToken === undefined ? undefined : "CODEX_ACCESS_TOKEN";
};
