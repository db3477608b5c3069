import { once } from "node:events";
import {
  createServer,
  request as send,
  type Agent as HttpAgent,
  type RequestListener,
} from "node:http";
import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import { generateAgentKey } from "@agent-auth/agent-identity/promises";
import type { Gateway } from "../src/promises/index.ts";

/** Registers an agent and a task; returns a function that gives the header of the present second. */
export const addAgent = async (gateway: Gateway, agentRuntimeId: string) => {
  const key = await generateAgentKey();
  const account = { accountId: "account-1" };
  const registeredAtMs = Date.now();
  await gateway.addAgent({ agentRuntimeId, publicKey: key.sshPublicKey, account, registeredAtMs });
  const timestamp = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const signature = key.sign(`${agentRuntimeId}:${timestamp}`);
  const url = `https://codex.example/v1/agent/${agentRuntimeId}/task/register`;
  const body = JSON.stringify({ timestamp, signature });
  const response = await gateway.handle(new Request(url, { method: "POST", body }));
  const answer: unknown = await response?.json();
  const taskId = String(Reflect.get(Object(answer), "task_id"));
  const signer = makeAssertionSigner({ key, agentRuntimeId, taskId });
  return { taskId, header: (nowMs = Date.now()) => signer.authorizationAt(nowMs) };
};

/** A header with a signature that no key made, for any agent. */
export const forgedHeader = (agentRuntimeId: string): string => {
  const envelope = {
    agent_runtime_id: agentRuntimeId,
    signature: Buffer.alloc(64, 7).toString("base64"),
    task_id: "task_forged",
    timestamp: new Date().toISOString().replace(/\.\d+Z$/, "Z"),
  };
  return `AgentAssertion ${Buffer.from(JSON.stringify(envelope)).toString("base64url")}`;
};

/** Listens on a free port of loopback. */
export const listen = async (listener: RequestListener) => {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    port,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};

/** One request; resolves with its status. */
export const get = (port: number, agent: HttpAgent, authorization: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const request = send(
      { port, agent, host: "127.0.0.1", headers: { authorization } },
      (response) => {
        response.resume();
        response.once("end", () => resolve(response.statusCode ?? 0));
      },
    );
    request.once("error", reject);
    request.end();
  });

export const percentile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;
