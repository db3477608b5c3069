import * as Effect from "effect/Effect";
import * as z from "zod";
import type { Agent } from "../accounts.ts";
import { randomToken } from "../accounts.ts";
import type { HttpResponse } from "../response.ts";
import { json, notFound, unauthorized } from "../response.ts";
import { isFresh } from "../authentication.ts";
import { parseJson } from "../body.ts";
import type { RequestContext, Route } from "../router.ts";
import { anyBase, path } from "../router.ts";
import type { AuthorityState } from "../state.ts";

const Registration = z.object({ timestamp: z.string(), signature: z.base64() });

const checkBiscuit = ({ state, request }: RequestContext, agent: Agent): void => {
  const given = request.headers["x-openai-authorization"];
  if (given === undefined) return;
  const biscuit = state.directory.bearers.get(String(given));
  if (biscuit?.kind !== "biscuit" || biscuit.revoked)
    throw unauthorized("invalid_biscuit", "X-OpenAI-Authorization was not minted here");
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
  // The sealed box brings its own cryptography along; most tests never need it.
  const { sealToAgent } = await import("@agent-auth/agent-identity/keys/sealed-box");
  return json(200, { [field]: await Effect.runPromise(sealToAgent(agent.publicKey.raw, taskId)) });
};

const register = async (exchange: RequestContext): Promise<HttpResponse> => {
  const { state, request, params } = exchange;
  const { timestamp, signature } = parseJson(request, Registration);
  const agent = state.directory.agents.get(params["agent"] ?? "");
  if (agent === undefined)
    throw notFound("unknown_agent", `no agent ${params["agent"]} is registered`);
  if (!isFresh(timestamp, state.clock.nowMs()))
    throw unauthorized(
      "stale_timestamp",
      "the timestamp is not within five minutes of the clock here",
    );
  if (!agent.publicKey.verify(`${agent.agentRuntimeId}:${timestamp}`, signature))
    throw unauthorized("bad_signature", "the signature is not the agent's");
  checkBiscuit(exchange, agent);
  const taskId = randomToken("task_", 12);
  agent.taskIds.add(taskId);
  return taskResponse(state, agent, taskId);
};

/** Task registration under every base that clients derive (signature and five-minute window checked). */
export const taskRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "registerTask",
    method: "POST",
    pattern: path(`${anyBase}/v1/agent/(?<agent>[^/]+)/task/register`),
    handle: register,
  },
];
