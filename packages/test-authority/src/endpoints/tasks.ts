import { registerTask } from "@agent-auth/gateway/endpoints";
import type { RegisteredAgent } from "@agent-auth/gateway/registry";
import { unauthorized } from "../http/response.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { anyBase, path } from "../http/router.ts";
import { orEndpointError, runEndpoint, webRequest } from "./gateway-endpoint.ts";

const checkBiscuit = ({ state, request }: RequestContext, agent: RegisteredAgent): void => {
  const given = request.headers["x-openai-authorization"];
  if (given === undefined) return;
  const biscuit = state.directory.bearers.get(String(given));
  if (biscuit?.kind !== "biscuit" || biscuit.revoked)
    throw unauthorized("invalid_biscuit", "X-OpenAI-Authorization was not issued here");
  if (biscuit.account.accountId !== agent.account.accountId)
    throw unauthorized("wrong_biscuit", "X-OpenAI-Authorization belongs to another account");
};

/** Task registration under every base path; checks the signature and the five-minute window. */
export const taskRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "registerTask",
    method: "POST",
    pattern: path(`${anyBase}/v1/agent/(?<agent>[^/]+)/task/register`),
    handle: (context) =>
      runEndpoint(
        context,
        registerTask(webRequest(context), context.params["agent"] ?? "", {
          registry: context.state.agents.registry,
          taskIdField: context.state.settings.taskIdField,
          // A test may move the clock by years.
          taskTtlMs: Number.MAX_SAFE_INTEGER / 2,
          check: (_, agent) => orEndpointError(() => checkBiscuit(context, agent)),
        }),
      ),
  },
];
