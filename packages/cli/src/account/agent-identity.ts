import type { AgentIdentityRecord } from "@agent-auth/agent-identity/record";

/** An agent identity without its private key, as documented in docs/json-output.md. */
export const identityJson = (record: AgentIdentityRecord) => ({
  agentRuntimeId: record.agentRuntimeId,
  accountId: record.accountId,
  userId: record.chatgptUserId ?? null,
  email: record.email ?? null,
  plan: record.planType,
  isFedramp: record.isFedrampAccount,
  registeredAt: record.registeredAt ?? null,
});

/** The same for a person, as rows of a name and a value. */
export const identityRows = (record: AgentIdentityRecord): readonly (readonly [string, string])[] =>
  [
    ["agent", record.agentRuntimeId],
    ["workspace", record.accountId],
    ["user", record.chatgptUserId],
    ["email", record.email],
    ["plan", record.planType],
  ].flatMap(([name, value]) =>
    name === undefined || value === undefined ? [] : [[name, value] as const],
  );
