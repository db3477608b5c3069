import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import { JwtExpired } from "@agent-auth/agent-identity/errors";
import { createAgentIdentity, jwksUrl, taskApiBaseUrl } from "@agent-auth/agent-identity/promises";

/** Returns the headers of an authenticated request of the agent that the token identifies. */
export const headersFor = async (jwt: string, chatgptBaseUrl: string) => {
  const client = createAgentIdentity({
    http: { originator: "codex_cli_rs", userAgent: "my-agent/1.0" },
    jwks: { url: await jwksUrl(chatgptBaseUrl) },
  });
  try {
    const { agent, key } = await client.verifyAgentIdentityJwt(jwt);
    const api = await taskApiBaseUrl({ chatgptBaseUrl });
    const taskId = await client.task({ agent, key, taskApiBaseUrl: api });
    const signer = makeAssertionSigner({ key, agentRuntimeId: agent.agentRuntimeId, taskId });
    return {
      authorization: signer.authorizationAt(Date.now()),
      "chatgpt-account-id": agent.accountId,
    };
  } catch (error) {
    if (error instanceof JwtExpired) return "get a new token";
    throw error;
  } finally {
    await client.close();
  }
};
