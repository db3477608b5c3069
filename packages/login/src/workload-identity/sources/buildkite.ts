import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { parsePlatformUrl, requestToken } from "./platform-request.ts";
import {
  checkPlatformToken,
  type FetchIdentityToken,
  requireAudience,
  requireVariable,
} from "./source.ts";

const hint =
  "Run this program in a Buildkite job. If the job runs in a container, pass the variable to it (docker plugin: propagate-environment).";

/** `source = "buildkite"`: a token that the agent API issues for the job, as `buildkite-agent oidc request-token` does. */
export const fetchFromBuildkite: FetchIdentityToken = Effect.fnUntraced(
  function* (source, environment) {
    const audience = yield* requireAudience(source);
    const variable = (name: string) => requireVariable(source, environment, name, hint);
    const jobId = Redacted.value(yield* variable("BUILDKITE_JOB_ID"));
    const agentToken = Redacted.value(yield* variable("BUILDKITE_AGENT_ACCESS_TOKEN"));
    const endpoint = environment.variable("BUILDKITE_AGENT_ENDPOINT");
    const base =
      endpoint === undefined ? "https://agent.buildkite.com/v3" : Redacted.value(endpoint);
    const url = yield* parsePlatformUrl(
      source,
      "BUILDKITE_AGENT_ENDPOINT",
      `${base.replace(/\/+$/, "")}/jobs/${encodeURIComponent(jobId)}/oidc/tokens`,
    );
    const headers = {
      accept: "application/json",
      "content-type": "application/json",
      authorization: Redacted.make(`Token ${agentToken}`, { label: "authorization" }),
    };
    const body = JSON.stringify({ audience });
    const token = yield* requestToken(
      source,
      { method: "POST", url, headers, body },
      "token",
      hint,
    );
    return yield* checkPlatformToken(source, token, hint);
  },
);
