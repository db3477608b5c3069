import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import { createAgentIdentity, generateAgentKey } from "@agent-auth/agent-identity/promises";
import { startTestAuthority } from "@agent-auth/test-authority";
import type { TaskIdField, TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { post } from "./support/agent.ts";

const connect = (authority: TestAuthority) =>
  createAgentIdentity({
    http: { originator: "codex_cli_rs", userAgent: "test/1" },
    jwks: { url: `${authority.chatgptBaseUrl}/wham/agent-identities/jwks` },
  });

describe("the client of agent-identity", () => {
  it.each<[TaskIdField, "v2" | "v1", 1 | 2]>([
    ["task_id", "v2", 1],
    ["taskId", "v1", 2],
    ["encrypted_task_id", "v2", 2],
    ["encryptedTaskId", "v1", 1],
  ])(
    "goes from a minted JWT to a model's answer: %s, %s design, PKCS#8 version %d",
    async (taskIdField, design, privateKeyVersion) => {
      await using authority = await startTestAuthority({ settings: { taskIdField } });
      await using client = connect(authority);
      const jwt = await authority.mintAgentIdentityJwt({ design, privateKeyVersion });
      const { agent, key } = await client.verifyAgentIdentityJwt(jwt);
      const taskId = await client.task({ agent, key, taskApiBaseUrl: authority.chatgptBaseUrl });
      const signer = makeAssertionSigner({ key, agentRuntimeId: agent.agentRuntimeId, taskId });
      const answer = await post(
        `${authority.chatgptBaseUrl}/codex/responses`,
        { model: "gpt-5.2", stream: true },
        {
          authorization: signer.authorizationAt(authority.clock.nowMs()),
          "chatgpt-account-id": agent.accountId,
        },
      );
      expect(await answer.text()).toContain("event: response.completed");
      expect(authority.count("registerTask")).toBe(1);
    },
  );

  it("accepts a token signed by a rotated key", async () => {
    await using authority = await startTestAuthority();
    await using client = connect(authority);
    await client.verifyAgentIdentityJwt(await authority.mintAgentIdentityJwt());
    const kid = await authority.rotateSigningKey();
    const verified = await client.verifyAgentIdentityJwt(await authority.mintAgentIdentityJwt());
    expect(verified.kid).toBe(kid);
    expect(authority.count("jwks")).toBe(2);
  });

  it("mints a biscuit and registers an agent in both designs", async () => {
    await using authority = await startTestAuthority();
    await using client = connect(authority);
    const { accessToken } = await authority.mintChatgptTokens();
    const key = await generateAgentKey();
    const billOfMaterials = {
      agentVersion: "1.0.0",
      agentHarnessId: "codex-cli",
      runningLocation: "cli-linux",
    } as const;
    const biscuit = await client.mintBiscuit({
      baseUrl: authority.chatgptBaseUrl,
      accessToken,
      originalMethod: "POST",
      originalUrl: `${authority.chatgptBaseUrl}/v1/agent/register`,
    });
    for (const authorization of [{ biscuit }, { accessToken }]) {
      const agentRuntimeId = await client.registerAgent({
        baseUrl: authority.chatgptBaseUrl,
        key,
        billOfMaterials,
        authorization,
      });
      const task = { agent: { agentRuntimeId }, key, taskApiBaseUrl: authority.accountsBaseUrl };
      expect(await client.task({ ...task, biscuit })).toMatch(/^task_/);
    }
    expect(authority.requestsTo("registerTask")[0]?.headers["x-openai-authorization"]).toBe(
      biscuit,
    );
  });
});
