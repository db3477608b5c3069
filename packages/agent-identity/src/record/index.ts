import * as Effect from "effect/Effect";
import * as Predicate from "effect/Predicate";
import * as Redacted from "effect/Redacted";
import { JwtClaimInvalid, StoredAgentIdentityInvalid } from "../errors/index.ts";
import { type Complaint, firstIssue } from "../encoding/first-issue.ts";
import { idExpectation, isId } from "./id.ts";
import { kindOf } from "../encoding/printable.ts";
import { formatRfc3339Second, normalizeRfc3339 } from "../encoding/rfc3339.ts";
import { parsePlanType, type PlanType } from "./plan.ts";
import { CurrentShape, FirstDesignShape } from "./claims.ts";

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
const designOf = (value: unknown): "v2" | "v1" | Complaint => {
  if (!Predicate.isObject(value)) return { path: "", expected: "an object", found: kindOf(value) };
  const { account_id: account, workspace_id: workspace } = value;
  const hasWorkspace = workspace !== undefined && workspace !== null;
  const hasAccount = account !== undefined && account !== null;
  if (hasAccount && hasWorkspace && account !== workspace) {
    return { path: "workspace_id", expected: "the same as account_id", found: "another value" };
  }
  return hasWorkspace && !hasAccount ? "v1" : "v2";
};

type Shape =
  | { readonly design: "v2"; readonly read: CurrentShape }
  | { readonly design: "v1"; readonly read: FirstDesignShape };

/** A record in its own spelling, or the first thing that is wrong with it. */
const readShape = (value: unknown): Shape | Complaint => {
  const design = designOf(value);
  if (typeof design !== "string") return design;
  if (design === "v2") {
    const { data: read, error } = CurrentShape.safeParse(value);
    return read === undefined ? firstIssue(error, value) : { design, read };
  }
  const { data: read, error } = FirstDesignShape.safeParse(value);
  return read === undefined ? firstIssue(error, value) : { design, read };
};

const readClaims = (claims: unknown, nowMs: number): AgentIdentityRecord | Complaint => {
  const shape = readShape(claims);
  if ("path" in shape) return shape;
  if (shape.design === "v2") return fromCurrent(shape.read);
  const record = fromFirstDesign(shape.read);
  return { registeredAt: formatRfc3339Second(Math.floor(nowMs / 1000)), ...record };
};

/** A task id that a sign-in stored: blank counts as absent. */
const storedTask = (
  name: "task_id" | "background_task_id",
  id: string | null | undefined,
): string | undefined | Complaint => {
  if (!present(id)) return undefined;
  return isId(id) ? id : { path: name, expected: idExpectation, found: "a string" };
};

const readStored = (value: unknown): AgentIdentityRecord | Complaint => {
  const shape = readShape(value);
  if ("path" in shape) return shape;
  if (shape.design === "v2") {
    const taskId = storedTask("task_id", shape.read.task_id);
    if (typeof taskId === "object") return taskId;
    const record = fromCurrent(shape.read);
    return taskId === undefined ? record : { ...record, taskId };
  }
  const record = fromFirstDesign(shape.read);
  if (record.registeredAt === undefined) {
    return { path: "registered_at", expected: "an RFC 3339 time", found: "nothing" };
  }
  const backgroundTaskId = storedTask("background_task_id", shape.read.background_task_id);
  if (typeof backgroundTaskId === "object") return backgroundTaskId;
  return backgroundTaskId === undefined ? record : { ...record, backgroundTaskId };
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
  if (!("path" in read)) return Effect.succeed(read);
  const { path, expected, found } = read;
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
  return "path" in read ? Effect.fail(new StoredAgentIdentityInvalid(read)) : Effect.succeed(read);
};
