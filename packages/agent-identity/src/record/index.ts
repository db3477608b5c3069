import * as Effect from "effect/Effect";
import * as Predicate from "effect/Predicate";
import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import { formatRfc3339Second, normalizeRfc3339 } from "../encoding/rfc3339.ts";
import {
  describeType,
  firstSchemaIssue,
  idExpectation,
  isId,
  type SchemaIssue,
} from "../encoding/text.ts";
import { JwtClaimInvalid, StoredAgentIdentityInvalid } from "../errors/index.ts";
import { parsePlanType, type PlanType } from "./plan.ts";

/**
 * An agent's identity, parsed from JWT claims or a stored record of either design. Whether anything was verified depends
 * on the function that returned it.
 */
export interface AgentIdentityRecord {
  /** Printable ASCII, not empty: it goes into headers, paths and signed messages. */
  readonly agentRuntimeId: string;
  /** Base64 (standard, padded) of PKCS#8 DER, Ed25519, version 1 or 2. */
  readonly privateKey: Redacted.Redacted;
  /** The id of the account or, on a workspace plan, of the workspace. */
  readonly accountId: string;
  readonly chatgptUserId?: string;
  readonly email?: string;
  readonly planType: PlanType;
  readonly isFedrampAccount: boolean;
  /** RFC 3339, whole seconds, `Z`. */
  readonly registeredAt?: string;
  /** A task that the sign-in had already registered. */
  readonly taskId?: string;
  /** A task cached for background requests (v1 design). */
  readonly backgroundTaskId?: string;
}

// These schemas only check the input. Values are derived from it later, because transformations in a schema are slow.
const id = z.string().check(z.refine(isId, idExpectation));
const secretText = z.string().check(z.minLength(1, "a non-empty string"));
const isTime = (text: string): boolean => normalizeRfc3339(text) !== null;
const time = z.string().check(z.refine(isTime, "an RFC 3339 time"));

const shared = {
  agent_runtime_id: id,
  agent_private_key: secretText,
  email: z.nullish(z.string()),
};

/** Claims and stored records of the v1 design (docs/protocol.md §2, §6). `registered_at` is required in a stored record. */
const V1Shape = z.object({
  ...shared,
  workspace_id: id,
  chatgpt_user_id: z.nullish(id),
  plan_type: z.nullish(z.string()),
  chatgpt_account_is_fedramp: z.nullish(z.boolean()),
  registered_at: z.nullish(time),
  background_task_id: z.nullish(z.string()),
});
type V1Shape = z.infer<typeof V1Shape>;

/** Claims and stored records of the v2 design, which Codex uses now. */
const V2Shape = z.object({
  ...shared,
  account_id: id,
  chatgpt_user_id: id,
  plan_type: z.string(),
  chatgpt_account_is_fedramp: z.boolean(),
  registered_at: z.nullish(time),
  task_id: z.nullish(z.string()),
});
type V2Shape = z.infer<typeof V2Shape>;

type Unchecked<A> = { readonly [Name in keyof A]?: unknown };

const isNullishOr =
  (isValid: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === undefined || value === null || isValid(value);
const isOptionalText = isNullishOr((value) => typeof value === "string");
const isOptionalTime = isNullishOr((value) => typeof value === "string" && isTime(value));

/** What `V2Shape` accepts, by hand: the schema takes a tenth of an RS256 verification, and then only says what is wrong. */
const isV2Shape = (value: Unchecked<V2Shape>): value is V2Shape =>
  isId(value.agent_runtime_id) &&
  typeof value.agent_private_key === "string" &&
  value.agent_private_key !== "" &&
  isId(value.account_id) &&
  isId(value.chatgpt_user_id) &&
  typeof value.plan_type === "string" &&
  typeof value.chatgpt_account_is_fedramp === "boolean" &&
  isOptionalText(value.email) &&
  isOptionalTime(value.registered_at) &&
  isOptionalText(value.task_id);

const isPresent = (text: string | null | undefined): text is string =>
  text !== null && text !== undefined && text.trim() !== "";

const secret = (text: string): Redacted.Redacted =>
  Redacted.make(text, { label: "agent_private_key" });

/** A record being built: properties without a value are left out, and assigning is cheaper than spreading. */
type Draft = { -readonly [Name in keyof AgentIdentityRecord]: AgentIdentityRecord[Name] };

const withShared = (draft: Draft, read: V2Shape | V1Shape): AgentIdentityRecord => {
  if (isPresent(read.email)) draft.email = read.email;
  const registeredAt = isPresent(read.registered_at) ? normalizeRfc3339(read.registered_at) : null;
  if (registeredAt !== null) draft.registeredAt = registeredAt;
  return draft;
};

const fromV2 = (read: V2Shape): AgentIdentityRecord => {
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

const fromV1 = (read: V1Shape): AgentIdentityRecord => {
  const draft: Draft = {
    agentRuntimeId: read.agent_runtime_id,
    privateKey: secret(read.agent_private_key),
    accountId: read.workspace_id,
    planType: parsePlanType(read.plan_type ?? ""),
    isFedrampAccount: read.chatgpt_account_is_fedramp ?? false,
  };
  if (isPresent(read.chatgpt_user_id)) draft.chatgptUserId = read.chatgpt_user_id;
  return withShared(draft, read);
};

/** The design of a value, or what is wrong if it has both names of the account id. */
const designOf = (value: unknown): "v2" | "v1" | SchemaIssue => {
  if (!Predicate.isObject(value))
    return { path: "", expected: "an object", found: describeType(value) };
  const { account_id: account, workspace_id: workspace } = value;
  const hasWorkspace = workspace !== undefined && workspace !== null;
  const hasAccount = account !== undefined && account !== null;
  if (hasAccount && hasWorkspace && account !== workspace) {
    return { path: "workspace_id", expected: "the same as account_id", found: "another value" };
  }
  return hasWorkspace && !hasAccount ? "v1" : "v2";
};

type Shape =
  | { readonly design: "v2"; readonly read: V2Shape }
  | { readonly design: "v1"; readonly read: V1Shape };

/** A value in the shape of its design, or the first thing that is wrong with it. */
const readShape = (value: unknown): Shape | SchemaIssue => {
  const design = designOf(value);
  if (typeof design !== "string") return design;
  if (design === "v2") {
    const members: Unchecked<V2Shape> = Object(value);
    if (isV2Shape(members)) return { design, read: members };
    const { data: read, error } = V2Shape.safeParse(value);
    return read === undefined ? firstSchemaIssue(error, value) : { design, read };
  }
  const { data: read, error } = V1Shape.safeParse(value);
  return read === undefined ? firstSchemaIssue(error, value) : { design, read };
};

const readClaims = (claims: unknown, nowMs: number): AgentIdentityRecord | SchemaIssue => {
  const shape = readShape(claims);
  if ("path" in shape) return shape;
  if (shape.design === "v2") return fromV2(shape.read);
  const record = fromV1(shape.read);
  return { registeredAt: formatRfc3339Second(Math.floor(nowMs / 1000)), ...record };
};

/** A stored task id: blank counts as absent. */
const storedTask = (
  name: "task_id" | "background_task_id",
  id: string | null | undefined,
): string | undefined | SchemaIssue => {
  if (!isPresent(id)) return undefined;
  return isId(id) ? id : { path: name, expected: idExpectation, found: "a string" };
};

const readStored = (value: unknown): AgentIdentityRecord | SchemaIssue => {
  const shape = readShape(value);
  if ("path" in shape) return shape;
  if (shape.design === "v2") {
    const taskId = storedTask("task_id", shape.read.task_id);
    if (typeof taskId === "object") return taskId;
    const record = fromV2(shape.read);
    return taskId === undefined ? record : { ...record, taskId };
  }
  const record = fromV1(shape.read);
  if (record.registeredAt === undefined) {
    return { path: "registered_at", expected: "an RFC 3339 time", found: "nothing" };
  }
  const backgroundTaskId = storedTask("background_task_id", shape.read.background_task_id);
  if (typeof backgroundTaskId === "object") return backgroundTaskId;
  return backgroundTaskId === undefined ? record : { ...record, backgroundTaskId };
};

/**
 * Parses the claims of an agent identity JWT of either design. `nowMs` (milliseconds since the epoch) is the default of
 * `registered_at` in the v1 design. Nothing is verified, neither a signature nor the private key. Fails with
 * `JwtClaimInvalid`, which names the claim and the types, never a value.
 *
 * @example
 * ```ts
 * import { parseAgentIdentityClaims } from "@agent-auth/agent-identity/record";
 * import * as Effect from "effect/Effect";
 *
 * const claims = {
 *   workspace_id: "workspace-123",
 *   agent_runtime_id: "agent-123",
 *   agent_private_key: "MC4CAQAwBQYDK2Vw…",
 * };
 * const record = await Effect.runPromise(parseAgentIdentityClaims(claims, { nowMs: Date.now() }));
 * record.accountId; // "workspace-123"
 * ```
 */
export const parseAgentIdentityClaims = (
  claims: unknown,
  options: { readonly nowMs: number },
): Effect.Effect<AgentIdentityRecord, JwtClaimInvalid> =>
  Effect.suspend(() => {
    const read = readAgentIdentityClaims(claims, options.nowMs);
    return "_tag" in read ? read : Effect.succeed(read);
  });

/**
 * The same as `parseAgentIdentityClaims` without an Effect.
 *
 * @example
 * ```ts
 * import { readAgentIdentityClaims } from "@agent-auth/agent-identity/record";
 *
 * const read = readAgentIdentityClaims({ agent_runtime_id: 7 }, Date.now());
 * if ("_tag" in read) console.error(read.message);
 * ```
 */
export const readAgentIdentityClaims = (
  claims: unknown,
  nowMs: number,
): AgentIdentityRecord | JwtClaimInvalid => {
  const read = readClaims(claims, nowMs);
  if (!("path" in read)) return read;
  const { path, expected, found } = read;
  return new JwtClaimInvalid({ claim: path === "" ? "set" : path, expected, found });
};

/**
 * Parses a record that a sign-in stored (`agent_identity` of `auth.json` as an object), of either design. A blank task id
 * counts as absent. The private key is not checked. Fails with `StoredAgentIdentityInvalid`.
 *
 * @example
 * ```ts
 * import { parseStoredAgentIdentity } from "@agent-auth/agent-identity/record";
 * import * as Effect from "effect/Effect";
 *
 * const error = await Effect.runPromise(Effect.flip(parseStoredAgentIdentity(null)));
 * error.message; // "stored agent identity must be an object, found null"
 * ```
 */
export const parseStoredAgentIdentity = (
  value: unknown,
): Effect.Effect<AgentIdentityRecord, StoredAgentIdentityInvalid> => {
  const read = readStored(value);
  return "path" in read ? Effect.fail(new StoredAgentIdentityInvalid(read)) : Effect.succeed(read);
};
