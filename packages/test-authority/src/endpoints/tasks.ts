import * as Effect from "effect/Effect";
import * as z from "zod";
import type { Agent } from "../identities/accounts.ts";
import { randomToken } from "../identities/accounts.ts";
import type { HttpResponse } from "../http/response.ts";
import { json, notFound, unauthorized } from "../http/response.ts";
import { isFresh } from "../identities/authentication.ts";
import { parseJson } from "../http/body.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { anyBase, path } from "../http/router.ts";
import type { AuthorityState } from "../state.ts";

const Registration = z.object({ timestamp: z.string(), signature: z.base64() });

const checkBiscuit = ({ state, request }: RequestContext, agent: Agent): void => {
  const given = request.headers["x-openai-authorization"];
  if (given === undefined) return;
  const biscuit = state.directory.bearers.get(String(given));
  if (biscuit?.kind !== "biscuit" || biscuit.revoked)
    throw unauthorized("invalid_biscuit", "X-OpenAI-Authorization was not issued here");
  if (biscuit.account.accountId !== agent.account.accountId)
    throw unauthorized("wrong_biscuit", "X-OpenAI-Authorization belongs to another account");
};

const taskResponse = async (
  state: AuthorityState,
  agent: Agent,
  taskId: string,
): Promise<HttpResponse> => {
  const field = state.settings.taskIdField;
  if (field === "task_id" || field === "taskId") return json(200, { [field]: taskId });
  // Sealed boxes load a crypto library that most tests do not need.
  const { sealToAgent } = await import("@agent-auth/agent-identity/keys/sealed-box");
  return json(200, { [field]: await Effect.runPromise(sealToAgent(agent.publicKey.raw, taskId)) });
};

const register = async (context: RequestContext): Promise<HttpResponse> => {
  const { state, request, params } = context;
  const { timestamp, signature } = parseJson(request, Registration);
  const agent = state.directory.agents.get(params["agent"] ?? "");
  if (agent === undefined)
    throw notFound("unknown_agent", `no agent ${params["agent"]} is registered`);
  if (!isFresh(timestamp, state.clock.nowMs()))
    throw unauthorized(
      "stale_timestamp",
      "the timestamp is not within five minutes of the authority's clock",
    );
  if (!agent.publicKey.verify(`${agent.agentRuntimeId}:${timestamp}`, signature))
    throw unauthorized("bad_signature", "the signature is not the agent's");
  checkBiscuit(context, agent);
  const taskId = randomToken("task_", 12);
  agent.taskIds.add(taskId);
  return taskResponse(state, agent, taskId);
};

/** Task registration under every base path; checks the signature and the five-minute window. */
export const taskRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "registerTask",
    method: "POST",
    pattern: path(`${anyBase}/v1/agent/(?<agent>[^/]+)/task/register`),
    handle: register,
  },
];
