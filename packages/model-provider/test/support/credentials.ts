import type { AgentIdentityCredential, Credential } from "@agent-auth/login/credential";
import * as Redacted from "effect/Redacted";

const source = { _tag: "File", path: "/home/nobody/.codex/auth.json" } as const;
const account = { isFedrampAccount: false } as const;

export const apiKey = (key = "sk-test-key"): Credential => ({
  _tag: "ApiKey",
  apiKey: Redacted.make(key),
  account,
  source,
});

export const bearer = (token: string): Credential => ({
  _tag: "Bearer",
  token: Redacted.make(token),
  account,
  source,
});

export const personalAccessToken = (token = "at-test", accountId = "acc-1"): Credential => ({
  _tag: "PersonalAccessToken",
  token: Redacted.make(token),
  account: { accountId, isFedrampAccount: false },
  source,
});

export const chatgpt = (
  accessToken = "access-1",
  more: {
    readonly accountId?: string;
    readonly userId?: string;
    readonly expiresAtMs?: number;
    readonly fedramp?: boolean;
  } = {},
): Credential => ({
  _tag: "Chatgpt",
  accessToken: Redacted.make(accessToken),
  refreshToken: Redacted.make("refresh-1"),
  idToken: Redacted.make("id-1"),
  account: {
    accountId: more.accountId ?? "acc-1",
    ...(more.userId === undefined ? {} : { userId: more.userId }),
    isFedrampAccount: more.fedramp ?? false,
  },
  expiresAtMs: more.expiresAtMs ?? Date.parse("2099-01-01T00:00:00Z"),
  source,
});

export const externalChatgpt = (accessToken = "external-1"): Credential => ({
  _tag: "ExternalChatgpt",
  accessToken: Redacted.make(accessToken),
  account: { accountId: "acc-2", isFedrampAccount: true },
  source: { _tag: "External", name: "editor" },
});

/** An agent whose assertions tell the second and the task they were made for. */
export const agent = (
  taskId = "task-1",
  authorizationAt: (nowMs: number) => string = (nowMs) =>
    `AgentAssertion ${taskId}.${Math.floor(nowMs / 1000)}`,
): AgentIdentityCredential => ({
  _tag: "AgentIdentity",
  form: "record",
  record: {
    agentRuntimeId: "agent-1",
    privateKey: Redacted.make("key"),
    accountId: "workspace-1",
    planType: "enterprise",
    isFedrampAccount: false,
  },
  account: {
    accountId: "workspace-1",
    email: "agent@example.com",
    planType: "enterprise",
    isFedrampAccount: false,
  },
  signer: { agentRuntimeId: "agent-1", taskId, authorizationAt },
  source,
});
