import { createServer } from "node:http";
import { nodeListener, serveEndpoints } from "@agent-auth/gateway/middleware";
import { createGateway } from "@agent-auth/gateway/promises";

/** Creates a server, and an identity for one agent. */
export const makeServer = async () => {
  const gateway = await createGateway({
    store: { kind: "sqlite", path: "gateway.db" },
    issuer: { keys: { folder: "signing-keys" } },
    perAgent: { limit: 600, windowMs: 60_000 },
  });
  const { jwt } = await gateway.mint({ account: { accountId: "team-1", planType: "team" } });

  const endpoints = serveEndpoints(gateway); // key set, registration of agents and tasks, whoami
  const models = nodeListener(gateway, (_request, response, principal) => {
    response.end(`hello, ${principal.kind === "agent" ? principal.agentRuntimeId : "you"}\n`);
  });
  const server = createServer((request, response) =>
    endpoints(request, response, () => models(request, response)),
  );
  return { gateway, server, jwt };
};
