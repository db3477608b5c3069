import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import { JwtExpired } from "@agent-auth/agent-identity/errors";
import { createAgentIdentity } from "@agent-auth/agent-identity/promises";

export const main = async (jwt: string, backend: string) => {
  await using client = createAgentIdentity({
    http: { originator: "codex_cli_rs", userAgent: "my-agent/1.0" },
    jwks: { url: `${backend}/wham/agent-identities/jwks` },
  });
  try {
    const { agent, key } = await client.verifyAgentIdentityJwt(jwt);
    const taskId = await client.task({ agent, key, taskApiBaseUrl: backend });
    const signer = makeAssertionSigner({ key, agentRuntimeId: agent.agentRuntimeId, taskId });
    return {
      authorization: signer.authorizationAt(Date.now()),
      "chatgpt-account-id": agent.accountId,
    };
  } catch (error) {
    if (error instanceof JwtExpired) return "get a fresh token";
    throw error;
  }
};
