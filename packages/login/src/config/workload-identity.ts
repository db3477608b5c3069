import type { Config } from "./types.ts";

/** The variables that select a workload identity by their presence, even if they are empty. */
export const selectingVariables = [
  "OPENAI_FEDERATION_RULE_ID",
  "OPENAI_IDENTITY_TOKEN_SOURCE",
  "OPENAI_IDENTITY_TOKEN_FILE",
] as const;

/** The table of `config.toml` that selects a workload identity if none of the variables is set. */
export const workloadIdentityTable = "agent_auth.workload_identity";

/**
 * Returns whether the environment or the configuration selects a workload identity (docs/protocol.md §14). Its settings may
 * be incomplete: then every request fails.
 *
 * @example
 * ```ts
 * import { hasWorkloadIdentity, parseEnvironment } from "@agent-auth/login/config/environment";
 *
 * const environment = parseEnvironment({ CODEX_HOME: "/srv/codex", OPENAI_FEDERATION_RULE_ID: "" });
 * console.log(hasWorkloadIdentity(environment, {})); // true
 * ```
 */
export const hasWorkloadIdentity = (
  environment: { readonly workloadIdentity?: unknown },
  config: Pick<Config, "workloadIdentity">,
): boolean =>
  environment.workloadIdentity !== undefined || config.workloadIdentity?.source !== undefined;
