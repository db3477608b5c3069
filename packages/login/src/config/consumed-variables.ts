import type { IdentitySourceName } from "../credential/index.ts";
import type { WorkloadIdentityConfig } from "./types.ts";

const bySource: Partial<Record<IdentitySourceName, ReadonlyArray<string>>> = {
  "github-actions": ["ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"],
  "gitlab-ci": ["OPENAI_ID_TOKEN"],
  circleci: ["CIRCLE_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN_V2"],
  buildkite: ["BUILDKITE_AGENT_ACCESS_TOKEN"],
};

/**
 * Returns the variables with which a source obtains identity tokens. A child process that gets the access token needs
 * none of them.
 *
 * @example
 * ```ts
 * import { consumedVariables } from "@agent-auth/login/workload-identity";
 *
 * console.log(consumedVariables("gitlab-ci", undefined)); // ["OPENAI_ID_TOKEN"]
 * ```
 */
export const consumedVariables = (
  source: IdentitySourceName,
  config: WorkloadIdentityConfig | undefined,
): ReadonlyArray<string> => {
  const { tokenVariable } = config ?? {};
  return [...(bySource[source] ?? []), ...(tokenVariable === undefined ? [] : [tokenVariable])];
};
