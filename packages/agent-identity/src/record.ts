import * as Effect from "effect/Effect";
import * as Predicate from "effect/Predicate";
import * as Redacted from "effect/Redacted";
import { JwtClaimInvalid, StoredAgentIdentityInvalid } from "./errors.ts";
import { type Complaint, firstIssue } from "./internal/first-issue.ts";
import { idExpectation, isId } from "./internal/id.ts";
import { kindOf } from "./internal/printable.ts";
import { formatRfc3339Second, normalizeRfc3339 } from "./internal/rfc3339.ts";
import { parsePlanType, type PlanType } from "./plan.ts";
import { CurrentShape, FirstDesignShape } from "./wire/agent-identity-claims.ts";

/**
 * Who an agent is, whichever shape it was read from: JWT claims of either design, or a record stored by a
 * sign-in. Whether anything was verified depends on the function that returned it.
 */
export interface AgentIdentityRecord {
  /** Printable ASCII, not empty: it goes into headers, paths and signed messages. */
  readonly agentRuntimeId: string;
  /** Base64 (standard, padded) of PKCS#8 DER, Ed25519, version 1 or 2. */
  readonly privateKey: Redacted.Redacted;
  /** The account or, on a workspace plan, the workspace: they are one id. */
  readonly accountId: string;
  readonly chatgptUserId?: string;
  readonly email?: string;
  readonly planType: PlanType;
  readonly isFedrampAccount: boolean;
  /** RFC 3339, whole seconds, `Z`. */
  readonly registeredAt?: string;
  /** A task the writer of a stored record had registered already. */
  readonly taskId?: string;
  /** A task cached for background requests (first design). */
  readonly backgroundTaskId?: string;
}

type Read =
  | { readonly _tag: "Record"; readonly record: AgentIdentityRecord }
  | { readonly _tag: "Complaint"; readonly complaint: Complaint };

const complain = (complaint: Complaint): Read => ({ _tag: "Complaint", complaint });
const present = (text: string | null | undefined): text is string =>
  text !== null && text !== undefined && text.trim() !== "";

const secret = (text: string): Redacted.Redacted =>
  Redacted.make(text, { label: "agent_private_key" });
/** A record in the making: properties without a value are left out, and filling in is cheaper than spreading. */
type Draft = { -readonly [Name in keyof AgentIdentityRecord]: AgentIdentityRecord[Name] };

const withShared = (draft: Draft, read: CurrentShape | FirstDesignShape): AgentIdentityRecord => {
  if (present(read.email)) draft.email = read.email;
  const registeredAt = present(read.registered_at) ? normalizeRfc3339(read.registered_at) : null;
  if (registeredAt !== null) draft.registeredAt = registeredAt;
  return draft;
};

const fromCurrent = (read: CurrentShape): AgentIdentityRecord => {
  const draft: Draft = {
    agentRuntimeId: read.agent_runtime_id,
    privateKey: secret(read.agent_private_key),
    accountId: read.account_id,
    chatgptUserId: read.chatgpt_user_id,
    planType: parsePlanType(read.plan_type),
    isFedrampAccount: read.chatgpt_account_is_fedramp,
  };
  return withShared(draft, read);
};

const fromFirstDesign = (read: FirstDesignShape): AgentIdentityRecord => {
  const draft: Draft = {
    agentRuntimeId: read.agent_runtime_id,
    privateKey: secret(read.agent_private_key),
    accountId: read.workspace_id,
    planType: parsePlanType(read.plan_type ?? ""),
    isFedrampAccount: read.chatgpt_account_is_fedramp ?? false,
  };
  if (present(read.chatgpt_user_id)) draft.chatgptUserId = read.chatgpt_user_id;
  return withShared(draft, read);
};

/** Which design a value speaks, or what is wrong with its two spellings of one id. */
const designOf = (value: unknown): "current" | "first" | Complaint => {
  if (!Predicate.isObject(value)) return { path: "", expected: "an object", found: kindOf(value) };
  const { account_id: account, workspace_id: workspace } = value;
  const hasWorkspace = workspace !== undefined && workspace !== null;
  const hasAccount = account !== undefined && account !== null;
  if (hasAccount && hasWorkspace && account !== workspace) {
    return { path: "workspace_id", expected: "the same as account_id", found: "another value" };
  }
  return hasWorkspace && !hasAccount ? "first" : "current";
};

const readClaims = (claims: unknown, nowMs: number): Read => {
  const design = designOf(claims);
  if (typeof design !== "string") return complain(design);
  if (design === "current") {
    const read = CurrentShape.safeParse(claims);
    if (!read.success) return complain(firstIssue(read.error, claims));
    return { _tag: "Record", record: fromCurrent(read.data) };
  }
  const read = FirstDesignShape.safeParse(claims);
  if (!read.success) return complain(firstIssue(read.error, claims));
  const record = fromFirstDesign(read.data);
  const registeredAt = record.registeredAt ?? formatRfc3339Second(Math.floor(nowMs / 1000));
  return { _tag: "Record", record: { ...record, registeredAt } };
};

const readStored = (value: unknown): Read => {
  const design = designOf(value);
  if (typeof design !== "string") return complain(design);
  if (design === "current") {
    const read = CurrentShape.safeParse(value);
    if (!read.success) return complain(firstIssue(read.error, value));
    const { task_id: taskId } = read.data;
    const record = fromCurrent(read.data);
    if (!present(taskId)) return { _tag: "Record", record };
    return isId(taskId)
      ? { _tag: "Record", record: { ...record, taskId } }
      : complain({ path: "task_id", expected: idExpectation, found: "a string" });
  }
  const read = FirstDesignShape.safeParse(value);
  if (!read.success) return complain(firstIssue(read.error, value));
  const record = fromFirstDesign(read.data);
  if (record.registeredAt === undefined) {
    return complain({ path: "registered_at", expected: "an RFC 3339 time", found: "nothing" });
  }
  const { background_task_id: backgroundTaskId } = read.data;
  if (!present(backgroundTaskId)) return { _tag: "Record", record };
  return isId(backgroundTaskId)
    ? { _tag: "Record", record: { ...record, backgroundTaskId } }
    : complain({ path: "background_task_id", expected: idExpectation, found: "a string" });
};

/**
 * Reads the claims of an agent identity JWT, of either design. `nowMs` (milliseconds since the epoch) stands in for
 * a first-design `registered_at` that is absent. Nothing is verified here: neither a signature nor the private key.
 * Fails with `JwtClaimInvalid`, which names the claim and the kinds, never a value.
 */
export const parseAgentIdentityClaims = (
  claims: unknown,
  options: { readonly nowMs: number },
): Effect.Effect<AgentIdentityRecord, JwtClaimInvalid> => {
  const read = readClaims(claims, options.nowMs);
  if (read._tag === "Record") return Effect.succeed(read.record);
  const { path, expected, found } = read.complaint;
  return Effect.fail(new JwtClaimInvalid({ claim: path === "" ? "set" : path, expected, found }));
};

/**
 * Reads a record that a sign-in stored (`agent_identity` of `auth.json` as an object), of either design. A blank
 * task id counts as absent. The private key is not looked at. Fails with `StoredAgentIdentityInvalid`.
 */
export const parseStoredAgentIdentity = (
  value: unknown,
): Effect.Effect<AgentIdentityRecord, StoredAgentIdentityInvalid> => {
  const read = readStored(value);
  return read._tag === "Record"
    ? Effect.succeed(read.record)
    : Effect.fail(new StoredAgentIdentityInvalid(read.complaint));
};
