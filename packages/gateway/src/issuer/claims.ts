import { formatRfc3339Second } from "@agent-auth/agent-identity/encoding";
import type { AgentAccount } from "../registry/index.ts";

/** What the claims of an agent identity say. */
export interface IdentityClaims {
  readonly issuer: string;
  readonly audience: string;
  readonly account: AgentAccount;
  readonly agentRuntimeId: string;
  /** Base64 (standard, padded) of PKCS#8 DER: a secret. */
  readonly privateKey: string;
  readonly nowMs: number;
  readonly expiresInSeconds: number;
  /** Design of the claims (docs/protocol.md §6). */
  readonly design: "v1" | "v2";
}

const v2Claims = ({ account, agentRuntimeId, privateKey }: IdentityClaims) => ({
  agent_runtime_id: agentRuntimeId,
  agent_private_key: privateKey,
  account_id: account.accountId,
  chatgpt_user_id: account.userId ?? account.accountId,
  ...(account.email === undefined ? {} : { email: account.email }),
  plan_type: account.planType ?? "unknown",
  chatgpt_account_is_fedramp: account.isFedramp ?? false,
});

const v1Claims = ({ account, agentRuntimeId, privateKey, nowMs }: IdentityClaims) => ({
  workspace_id: account.accountId,
  ...(account.userId === undefined ? {} : { chatgpt_user_id: account.userId }),
  agent_runtime_id: agentRuntimeId,
  agent_private_key: privateKey,
  registered_at: formatRfc3339Second(Math.floor(nowMs / 1000)),
});

/**
 * Returns the claims of an agent identity JWT (docs/protocol.md §6).
 *
 * @example
 * ```ts
 * import { identityClaims } from "@agent-auth/gateway/issuer";
 *
 * const claims = identityClaims({
 *   issuer: "https://codex.example",
 *   audience: "codex-app-server",
 *   account: { accountId: "account-123" },
 *   agentRuntimeId: "agent-123",
 *   privateKey: "MC4CAQAwBQYDK2Vw…",
 *   nowMs: Date.now(),
 *   expiresInSeconds: 3600,
 *   design: "v2",
 * });
 * claims["account_id"]; // "account-123"
 * ```
 */
export const identityClaims = (facts: IdentityClaims): Readonly<Record<string, unknown>> => {
  const now = Math.floor(facts.nowMs / 1000);
  return {
    iss: facts.issuer,
    aud: facts.audience,
    iat: now,
    exp: now + facts.expiresInSeconds,
    ...(facts.design === "v1" ? v1Claims(facts) : v2Claims(facts)),
  };
};
