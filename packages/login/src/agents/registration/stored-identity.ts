import { exportPkcs8, type AgentKey } from "@agent-auth/agent-identity/keys";
import {
  parseStoredAgentIdentity,
  type AgentIdentityRecord,
} from "@agent-auth/agent-identity/record";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Predicate from "effect/Predicate";
import * as Redacted from "effect/Redacted";
import {
  makeStoredRecord,
  recordFields,
  type AuthDocument,
  type StoredAgentIdentity,
} from "../../storage/auth-json/index.ts";
import type { Account } from "../../credential/index.ts";

type StoredRecord = Extract<StoredAgentIdentity, { readonly _tag: "Record" }>;

/** The stored record, if it can be read. Anything else counts as absent: a new agent is registered. */
export const readIdentity = (
  document: AuthDocument,
): Effect.Effect<Option.Option<AgentIdentityRecord>> => {
  const stored = document.agentIdentity;
  return stored?._tag === "Record"
    ? Effect.option(parseStoredAgentIdentity(recordFields(stored)))
    : Effect.succeedNone;
};

/** Whether a record belongs to the signed-in user: the same workspace and, if both name one, the same user. */
export const belongsTo =
  (account: Account) =>
  (record: AgentIdentityRecord): boolean =>
    record.accountId === account.accountId &&
    (record.chatgptUserId === undefined ||
      account.userId === undefined ||
      record.chatgptUserId === account.userId);

/** Returns the record of a new agent, with the members of a v1 record and in their order (docs/protocol.md §2). */
export const newStoredIdentity = (of: {
  readonly account: Account & { readonly accountId: string };
  readonly agentRuntimeId: string;
  readonly key: AgentKey;
  readonly nowMs: number;
}): StoredRecord =>
  makeStoredRecord({
    workspace_id: of.account.accountId,
    chatgpt_user_id: of.account.userId,
    agent_runtime_id: of.agentRuntimeId,
    agent_private_key: Redacted.value(exportPkcs8(of.key)),
    registered_at: `${new Date(of.nowMs).toISOString().slice(0, 19)}Z`,
  });

/** Returns the record with another background task. Unknown members are kept. */
export const withBackgroundTask = (stored: StoredRecord, taskId: string): StoredRecord => {
  const fields = recordFields(stored);
  const kept = Predicate.isObject(fields) ? fields : {};
  return {
    _tag: "Record",
    json: Redacted.make(JSON.stringify({ ...kept, background_task_id: taskId }), {
      label: "agent_identity",
    }),
  };
};
