import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import type { AgentKey } from "@agent-auth/agent-identity/keys";
import { generateAgentKey } from "@agent-auth/agent-identity/promises";
import type { Authenticator, Decision } from "@agent-auth/gateway/middleware";
import type { Gateway } from "@agent-auth/gateway/promises";

export const account = {
  accountId: "account-1",
  userId: "user-1",
  email: "ada@example.test",
  planType: "pro",
  isFedramp: false,
};

/** An agent whose key the test has. */
export interface TestAgent {
  readonly agentRuntimeId: string;
  readonly key: AgentKey;
}

/** Registers an agent. */
export const addAgent = async (gateway: Gateway, id = "agent-1"): Promise<TestAgent> => {
  const key = await generateAgentKey();
  await gateway.addAgent({
    agentRuntimeId: id,
    publicKey: key.sshPublicKey,
    account,
    registeredAtMs: Date.now(),
  });
  return { agentRuntimeId: id, key };
};

export const timestampOf = (ms: number): string =>
  new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

/** The request that registers a task. */
export const taskRequest = ({ agentRuntimeId, key }: TestAgent, nowMs = Date.now()): Request => {
  const timestamp = timestampOf(nowMs);
  const path = `/v1/agent/${encodeURIComponent(agentRuntimeId)}/task/register`;
  return new Request(`https://codex.example${path}`, {
    method: "POST",
    body: JSON.stringify({ timestamp, signature: key.sign(`${agentRuntimeId}:${timestamp}`) }),
  });
};

/** Registers a task at the endpoint. Returns its id. */
export const addTask = async (gateway: Gateway, agent: TestAgent): Promise<string> => {
  const response = await gateway.handle(taskRequest(agent));
  const body: unknown = await response?.json();
  return String(Reflect.get(Object(body), "task_id"));
};

/** The `Authorization` header of an agent. */
export const headerOf = (agent: TestAgent, taskId: string, nowMs = Date.now()): string =>
  makeAssertionSigner({ ...agent, taskId }).authorizationAt(nowMs);

/** The headers of the response to a rejected request. */
export const rejectionHeaders = (
  gateway: Authenticator,
  decision: Decision,
): Readonly<Record<string, string>> =>
  "reason" in decision ? gateway.reject(decision).headers : {};

/** Status and code of an error response. */
export const errorOf = async (response: Response | undefined) => {
  const body: unknown = await response?.json();
  const error: object = Object(Reflect.get(Object(body), "error"));
  return [response?.status, Reflect.get(error, "code")];
};

/** A header without a valid signature. */
export const forgedHeader = (agentRuntimeId: string, taskId: string, nowMs = Date.now()): string =>
  `AgentAssertion ${Buffer.from(
    JSON.stringify({
      agent_runtime_id: agentRuntimeId,
      signature: Buffer.alloc(64, 7).toString("base64"),
      task_id: taskId,
      timestamp: timestampOf(nowMs),
    }),
  ).toString("base64url")}`;
