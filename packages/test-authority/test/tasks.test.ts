import { importAgentKey } from "@agent-auth/agent-identity/keys";
import { unsealWithAgentKey } from "@agent-auth/agent-identity/keys/sealed-box";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { startTestAuthority } from "@agent-auth/test-authority";
import type { MintedAgentIdentity, TaskIdField, TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import {
  assertionHeaders,
  errorOf,
  post,
  registerTask,
  signAs,
  timestamp,
} from "./support/agent.ts";

const minute = 60_000;

const register = (authority: TestAuthority, agent: MintedAgentIdentity) => {
  const at = timestamp(authority.clock.nowMs());
  return post(`${authority.url}/v1/agent/${agent.agentRuntimeId}/task/register`, {
    timestamp: at,
    signature: signAs(agent, `${agent.agentRuntimeId}:${at}`),
  });
};

describe("task registration", () => {
  it.each(["", "/backend-api", "/backend-api/codex", "/api/accounts", "/api/codex"])(
    "responds under the base path '%s'",
    async (base) => {
      await using authority = await startTestAuthority();
      const agent = await authority.mintAgentIdentity({ agentRuntimeId: "agent one/2" });
      const at = timestamp(authority.clock.nowMs());
      const answer = await post(
        `${authority.url}${base}/v1/agent/${encodeURIComponent("agent one/2")}/task/register`,
        { timestamp: at, signature: signAs(agent, `agent one/2:${at}`) },
      );
      expect(answer.status).toBe(200);
      expect(await answer.json()).toEqual({ task_id: expect.stringMatching(/^task_/) });
    },
  );

  it("uses the other field name if configured to", async () => {
    await using authority = await startTestAuthority({ settings: { taskIdField: "taskId" } });
    const answer = await register(authority, await authority.mintAgentIdentity());
    expect(await answer.json()).toEqual({ taskId: expect.stringMatching(/^task_/) });
  });

  it.each<TaskIdField>(["encrypted_task_id", "encryptedTaskId"])(
    "seals the id to the agent's key as %s, and accepts it afterwards",
    async (field) => {
      await using authority = await startTestAuthority({ settings: { taskIdField: field } });
      const agent = await authority.mintAgentIdentity();
      const answer = await register(authority, agent);
      const sealed = z.record(z.string(), z.string()).parse(await answer.json())[field] ?? "";
      const opened = await Effect.runPromise(
        importAgentKey(Redacted.make(agent.privateKey)).pipe(
          Effect.flatMap((key) => unsealWithAgentKey(key, sealed)),
        ),
      );
      const taskId = Buffer.from(opened).toString();
      expect(taskId).toMatch(/^task_/);
      const models = await fetch(`${authority.chatgptBaseUrl}/codex/models`, {
        headers: assertionHeaders(agent, taskId, authority.clock.nowMs()),
      });
      expect(models.status).toBe(200);
    },
  );

  it.each([
    ["just within five minutes behind", -5 * minute, 200],
    ["just within five minutes ahead", 5 * minute, 200],
    ["a second too old", -5 * minute - 1000, 401],
    ["a second too far ahead", 5 * minute + 1000, 401],
  ])("checks a timestamp that is %s", async (_name, offset, status) => {
    const now = Date.UTC(2026, 3, 13);
    await using authority = await startTestAuthority({ now: () => now });
    const agent = await authority.mintAgentIdentity();
    const at = timestamp(now + offset);
    const answer = await post(`${authority.url}/v1/agent/${agent.agentRuntimeId}/task/register`, {
      timestamp: at,
      signature: signAs(agent, `${agent.agentRuntimeId}:${at}`),
    });
    const code = answer.ok ? "" : (await errorOf(answer)).code;
    expect([answer.status, code]).toEqual([status, answer.ok ? "" : "stale_timestamp"]);
  });

  it.each([
    ["unknown_agent", 404, { agent: "nobody" }],
    ["bad_signature", 401, { message: "something else" }],
    ["invalid_body", 400, { signature: 7 }],
    ["invalid_biscuit", 401, { biscuit: "made-up" }],
  ])("refuses with %s", async (code, status, change) => {
    await using authority = await startTestAuthority();
    const agent = await authority.mintAgentIdentity();
    const at = timestamp(authority.clock.nowMs());
    const message = "message" in change ? change.message : `${agent.agentRuntimeId}:${at}`;
    const answer = await post(
      `${authority.url}/v1/agent/${"agent" in change ? change.agent : agent.agentRuntimeId}/task/register`,
      {
        timestamp: at,
        signature: "signature" in change ? change.signature : signAs(agent, message),
      },
      "biscuit" in change ? { "x-openai-authorization": change.biscuit } : {},
    );
    expect(answer.status).toBe(status);
    expect((await errorOf(answer)).code).toBe(code);
  });
});

describe("revokeAgent", () => {
  it("removes an agent, so that it gets no task and its assertions are rejected", async () => {
    await using authority = await startTestAuthority();
    const agent = await authority.mintAgentIdentity();
    const headers = assertionHeaders(
      agent,
      await registerTask(authority, agent),
      authority.clock.nowMs(),
    );
    expect(authority.revokeAgent(agent.agentRuntimeId)).toBe(true);
    expect(authority.revokeAgent(agent.agentRuntimeId)).toBe(false);
    const refused = await fetch(`${authority.chatgptBaseUrl}/codex/models`, { headers });
    expect((await errorOf(refused)).code).toBe("unknown_agent");
    expect((await errorOf(await register(authority, agent))).code).toBe("unknown_agent");
  });
});
