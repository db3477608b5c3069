import { inspect } from "node:util";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import {
  hasWorkspacePolicy,
  isWorkspacePlan,
  parsePlanType,
  planTypes,
} from "../src/record/plan.ts";
import { parseAgentIdentityClaims, parseStoredAgentIdentity } from "../src/record/index.ts";
import { goodClaims, nowMs } from "./mint.ts";

const canary = "canary-private-key";
const current = {
  agent_runtime_id: "agent-123",
  agent_private_key: canary,
  account_id: "account-123",
  chatgpt_user_id: "user-123",
  plan_type: "Team",
  chatgpt_account_is_fedramp: true,
};
const firstDesign = {
  workspace_id: "workspace-123",
  agent_runtime_id: "agent-123",
  agent_private_key: canary,
};

describe("parseAgentIdentityClaims", () => {
  it.effect("parses v2 claims; the email is optional", () =>
    Effect.gen(function* () {
      const { privateKey, ...rest } = yield* parseAgentIdentityClaims(current, { nowMs });
      expect(Redacted.value(privateKey)).toBe(canary);
      expect(rest).toEqual({
        agentRuntimeId: "agent-123",
        accountId: "account-123",
        chatgptUserId: "user-123",
        planType: "team",
        isFedrampAccount: true,
      });
    }),
  );

  it.effect(
    "parses v1 claims; the workspace is the account, and registered_at defaults to now",
    () =>
      Effect.gen(function* () {
        const { privateKey, ...rest } = yield* parseAgentIdentityClaims(firstDesign, {
          nowMs: nowMs + 999,
        });
        expect(Redacted.value(privateKey)).toBe(canary);
        expect(rest).toEqual({
          agentRuntimeId: "agent-123",
          accountId: "workspace-123",
          planType: "unknown",
          isFedrampAccount: false,
          registeredAt: "2026-04-13T12:00:00Z",
        });
      }),
  );

  it.effect("writes registered_at in whole seconds of UTC", () =>
    Effect.gen(function* () {
      const claims = { ...firstDesign, registered_at: "2026-04-13T14:00:00.987654321+02:00" };
      const record = yield* parseAgentIdentityClaims(claims, { nowMs: 0 });
      expect(record.registeredAt).toBe("2026-04-13T12:00:00Z");
    }),
  );

  it.effect("accepts account_id and workspace_id with one value and rejects two values", () =>
    Effect.gen(function* () {
      const both = { ...current, workspace_id: "account-123" };
      expect((yield* parseAgentIdentityClaims(both, { nowMs })).accountId).toBe("account-123");
      const torn = { ...current, workspace_id: "account-999" };
      const error = yield* Effect.flip(parseAgentIdentityClaims(torn, { nowMs }));
      expect(error).toMatchObject({
        code: "AGENT_IDENTITY_JWT_CLAIM_INVALID",
        claim: "workspace_id",
      });
    }),
  );

  it.effect.each([
    ["agent_runtime_id", undefined, "a string", "nothing"],
    ["agent_runtime_id", "", "non-empty printable ASCII", "an empty string"],
    ["agent_runtime_id", "agent\n123", "non-empty printable ASCII", "a string"],
    ["agent_runtime_id", "..", "non-empty printable ASCII", "a string"],
    ["agent_private_key", undefined, "a string", "nothing"],
    ["agent_private_key", "", "a non-empty string", "an empty string"],
    ["account_id", 42, "a string", "a number"],
    ["account_id", "ä", "non-empty printable ASCII", "a string"],
    ["chatgpt_user_id", null, "a string", "null"],
    ["plan_type", 7, "a string", "a number"],
    ["plan_type", undefined, "a string", "nothing"],
    ["chatgpt_account_is_fedramp", "true", "a boolean", "a string"],
    ["chatgpt_account_is_fedramp", undefined, "a boolean", "nothing"],
    ["email", ["a"], "a string", "an array"],
    ["registered_at", 1, "a string", "a number"],
    ["registered_at", "yesterday", "an RFC 3339 time", "a string"],
    ["task_id", true, "a string", "a boolean"],
  ] as const)("rejects %s: %j", ([claim, value, expected, found]) =>
    Effect.gen(function* () {
      const claims = { ...current, [claim]: value };
      const error = yield* Effect.flip(parseAgentIdentityClaims(claims, { nowMs }));
      expect(error).toMatchObject({ reason: "claim", claim, expected, found });
    }),
  );

  it.effect.each([null, undefined, 1, "text", [], [goodClaims]])("rejects %j as claims", (value) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(parseAgentIdentityClaims(value, { nowMs }));
      expect(error).toMatchObject({ claim: "set", expected: "an object" });
    }),
  );

  it.effect("never prints the private key", () =>
    Effect.gen(function* () {
      const record = yield* parseAgentIdentityClaims(current, { nowMs });
      const printed = [JSON.stringify(record), inspect(record, { depth: 9, showHidden: true })];
      expect(printed.join("\n")).not.toContain(canary);
    }),
  );
});

describe("parseStoredAgentIdentity", () => {
  it.effect("parses a v2 record with its task", () =>
    Effect.gen(function* () {
      const record = yield* parseStoredAgentIdentity({
        ...current,
        email: "user@example.com",
        task_id: "task-1",
      });
      expect(record).toMatchObject({
        accountId: "account-123",
        taskId: "task-1",
        email: "user@example.com",
      });
    }),
  );

  it.effect.each([undefined, null, "", "  "])("treats the task id %j as absent", (task_id) =>
    Effect.gen(function* () {
      expect(yield* parseStoredAgentIdentity({ ...current, task_id })).not.toHaveProperty("taskId");
    }),
  );

  it.effect("parses a v1 record with its background task", () =>
    Effect.gen(function* () {
      const record = yield* parseStoredAgentIdentity({
        ...firstDesign,
        registered_at: "2026-04-13T12:00:00Z",
        background_task_id: "task-2",
      });
      expect(record).toMatchObject({ accountId: "workspace-123", backgroundTaskId: "task-2" });
    }),
  );

  it.effect.each([
    [{ ...firstDesign }, "registered_at", "an RFC 3339 time", "nothing"],
    [
      { ...firstDesign, registered_at: "yesterday" },
      "registered_at",
      "an RFC 3339 time",
      "a string",
    ],
    [
      { ...firstDesign, registered_at: "2026-02-30" },
      "registered_at",
      "an RFC 3339 time",
      "a string",
    ],
    [{ ...current, task_id: "task\r\nid" }, "task_id", "non-empty printable ASCII", "a string"],
    [{ ...current, task_id: 1 }, "task_id", "a string", "a number"],
    ["text", "", "an object", "a string"],
  ] as const)("rejects %j", ([value, path, expected, found]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(parseStoredAgentIdentity(value));
      expect(error).toMatchObject({ _tag: "StoredAgentIdentityInvalid", path, expected, found });
    }),
  );
});

describe("parsePlanType", () => {
  it.each([
    ["PRO", "pro"],
    ["hc", "enterprise"],
    ["HC", "enterprise"],
    ["Education", "edu"],
    ["galactic", "unknown"],
    ["", "unknown"],
    ["__proto__", "unknown"],
  ])("parses %j as %s", (text, plan) => {
    expect(parsePlanType(text)).toBe(plan);
  });

  it("knows the plans whose workspaces publish a policy", () => {
    expect(planTypes.filter(hasWorkspacePolicy)).toEqual([
      "business",
      "ent26",
      "enterprise_cbp_automation",
      "enterprise_cbp_usage_based",
      "enterprise",
      "edu",
      "edu_plus",
      "edu_pro",
      "sci",
      "sci_plus",
    ]);
  });

  it("lists the workspace plans", () => {
    expect(planTypes.filter(isWorkspacePlan)).toEqual([
      "team",
      "self_serve_business_prolite",
      "self_serve_business_usage_based",
      "business",
      "ent26",
      "enterprise_cbp_automation",
      "enterprise_cbp_usage_based",
      "enterprise",
      "edu",
      "edu_plus",
      "edu_pro",
      "sci",
      "sci_plus",
    ]);
  });
});
