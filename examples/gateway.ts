import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { AssertionLookupFailed } from "@agent-auth/agent-identity/errors";
import { createAssertionVerifier, isAgentIdentityError } from "@agent-auth/agent-identity/promises";

// The agents that registered here: { "<agent runtime id>": { "publicKey": "ssh-ed25519 …", "tasks": ["<task id>"] } }.
// A real gateway asks its database instead.
interface Agent {
  readonly publicKey: string;
  readonly tasks: ReadonlyArray<string>;
}
const file = process.argv[2] ?? "agents.json";
const agents = new Map<string, Agent>(Object.entries(JSON.parse(await readFile(file, "utf8"))));

const verifier = createAssertionVerifier({
  findPublicKey: async (agentRuntimeId) => agents.get(agentRuntimeId)?.publicKey ?? null,
  isKnownTask: async ({ agentRuntimeId, taskId }) =>
    agents.get(agentRuntimeId)?.tasks.includes(taskId) ?? false,
});

const server = createServer((request, response) => {
  verifier.verify(request.headers.authorization).then(
    (agent) => response.end(`hello, ${agent.agentRuntimeId}\n`),
    (error: unknown) => {
      // A look-up that failed says nothing about the caller: 503, not 401.
      const status = error instanceof AssertionLookupFailed ? 503 : 401;
      const code = isAgentIdentityError(error) ? error.code : "INTERNAL";
      response.writeHead(status).end(`${code}\n`);
    },
  );
});
server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1", () =>
  console.log(JSON.stringify(server.address())),
);
process.once("SIGTERM", () => server.close());
