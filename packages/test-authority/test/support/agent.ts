import { createPrivateKey, sign } from "node:crypto";
import type { MintedAgentIdentity, TestAuthority } from "@agent-auth/test-authority";
import * as z from "zod";

/** Whole seconds and `Z`, as agents write timestamps. */
export const timestamp = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

/** Signs as an agent does, with node:crypto alone, so that the authority is checked by other code than its own. */
export const signAs = (agent: MintedAgentIdentity, message: string): string => {
  const key = createPrivateKey({
    key: Buffer.from(agent.privateKey, "base64"),
    format: "der",
    type: "pkcs8",
  });
  return sign(null, Buffer.from(message), key).toString("base64");
};

export const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

const TaskResponse = z.object({ task_id: z.string() });

/** Registers a task under the bare origin. */
export const registerTask = async (
  authority: TestAuthority,
  agent: MintedAgentIdentity,
): Promise<string> => {
  const at = timestamp(authority.clock.nowMs());
  const answer = await post(`${authority.url}/v1/agent/${agent.agentRuntimeId}/task/register`, {
    timestamp: at,
    signature: signAs(agent, `${agent.agentRuntimeId}:${at}`),
  });
  return TaskResponse.parse(await answer.json()).task_id;
};

export const assertionHeaders = (
  agent: MintedAgentIdentity,
  taskId: string,
  nowMs: number,
): Record<string, string> => {
  const at = timestamp(nowMs);
  const assertion = {
    agent_runtime_id: agent.agentRuntimeId,
    signature: signAs(agent, `${agent.agentRuntimeId}:${taskId}:${at}`),
    task_id: taskId,
    timestamp: at,
  };
  const token = Buffer.from(JSON.stringify(assertion)).toString("base64url");
  return {
    authorization: `AgentAssertion ${token}`,
    "chatgpt-account-id": agent.account.accountId,
  };
};

export const errorOf = async (response: Response) =>
  z
    .object({ error: z.object({ message: z.string(), type: z.string(), code: z.string() }) })
    .parse(await response.json()).error;
