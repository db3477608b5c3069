import { createServer } from "node:http";
import { AssertionLookupFailed } from "@agent-auth/agent-identity/errors";
import { createAssertionVerifier } from "@agent-auth/agent-identity/promises";

/** The agents that registered with the gateway; usually a database. */
export interface Registry {
  readonly publicKeys: ReadonlyMap<string, string>;
  readonly tasks: ReadonlyMap<string, ReadonlySet<string>>;
}

/** A server that only serves registered agents. */
export const makeGateway = ({ publicKeys, tasks }: Registry) => {
  const verifier = createAssertionVerifier({
    findPublicKey: async (agentRuntimeId) => publicKeys.get(agentRuntimeId) ?? null,
    isKnownTask: async ({ agentRuntimeId, taskId }) =>
      tasks.get(agentRuntimeId)?.has(taskId) ?? false,
  });
  return createServer((request, response) => {
    verifier.verify(request.headers.authorization).then(
      (agent) => response.end(`hello, ${agent.agentRuntimeId}\n`),
      (error: unknown) =>
        response.writeHead(error instanceof AssertionLookupFailed ? 503 : 401).end("rejected\n"),
    );
  });
};
