import { randomBytes, randomUUID } from "node:crypto";
import { importAgentPublicKey } from "@agent-auth/agent-identity/assertion/verifier";
import {
  decodeBase64,
  isJsonObject,
  type JsonObject,
  parseRfc3339Second,
} from "@agent-auth/agent-identity/encoding";
import { registrationMessage } from "@agent-auth/agent-identity/tasks";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { reject } from "../authentication/rejection.ts";
import { RequestRejected, StoreUnavailable } from "../errors/index.ts";
import type { PublishedJwks } from "../issuer/index.ts";
import type { AgentAccount, AgentRegistry, RegisteredAgent } from "../registry/index.ts";
import { badRequest, EndpointError, json, readJson, stringMember } from "./response.ts";

/** The name of the field with a registered task's id. In `encrypted…` the id is sealed to the agent's key. */
export type TaskIdField = "task_id" | "taskId" | "encrypted_task_id" | "encryptedTaskId";

/** Finds out for whom a request registers an agent, or fails. */
export type AuthorizeRegistration = (
  request: Request,
) => Effect.Effect<AgentAccount, RequestRejected | StoreUnavailable | EndpointError>;

type EndpointResult = Effect.Effect<Response, RequestRejected | StoreUnavailable | EndpointError>;

const checkAbom = Effect.fnUntraced(function* (body: JsonObject) {
  const { abom } = body;
  if (!isJsonObject(abom)) return yield* badRequest("invalid_body", "abom: must be an object");
  for (const name of ["agent_version", "agent_harness_id", "running_location"])
    yield* stringMember(abom, name, `abom.${name}`);
});

/** `ttl` in milliseconds: null or absent means that the agent does not expire. */
const ttlMsOf = ({ ttl }: JsonObject): number | undefined | EndpointError => {
  if (ttl === null || ttl === undefined) return undefined;
  return typeof ttl === "number" && Number.isSafeInteger(ttl) && ttl > 0
    ? ttl * 1000
    : badRequest("invalid_body", "ttl: must be null or a positive number of seconds");
};

/**
 * Responds to `POST …/v1/agent/register`, in both designs (docs/protocol.md §5): registers a public key for an account.
 *
 * @example
 * ```ts
 * import { registerAgent, responding } from "@agent-auth/gateway/endpoints";
 * import { makeMemoryRegistry } from "@agent-auth/gateway/registry";
 * import * as Effect from "effect/Effect";
 *
 * const request = new Request("https://codex.example/v1/agent/register", {
 *   method: "POST",
 *   body: "{}",
 * });
 * const endpoint = registerAgent(request, {
 *   registry: makeMemoryRegistry().service,
 *   authorize: () => Effect.succeed({ accountId: "account-1" }),
 * });
 * const challenges = { realm: "models", acceptsBearer: true };
 * const { status } = await Effect.runPromise(responding(endpoint, challenges)); // 400
 * ```
 */
export const registerAgent = Effect.fnUntraced(function* (
  request: Request,
  options: {
    readonly registry: AgentRegistry["Service"];
    readonly authorize: AuthorizeRegistration;
  },
): Effect.fn.Return<Response, RequestRejected | StoreUnavailable | EndpointError> {
  const account = yield* options.authorize(request);
  const body = yield* readJson(request);
  yield* checkAbom(body);
  const ttlMs = ttlMsOf(body);
  if (typeof ttlMs === "object") return yield* ttlMs;
  const key = yield* importAgentPublicKey(yield* stringMember(body, "agent_public_key")).pipe(
    Effect.mapError(({ problem }) =>
      badRequest("invalid_public_key", `agent_public_key is not an ssh-ed25519 key: ${problem}`),
    ),
  );
  const nowMs = yield* Clock.currentTimeMillis;
  const agentRuntimeId = `agent-${randomUUID()}`;
  yield* options.registry
    .addAgent({
      agentRuntimeId,
      publicKey: key.ssh,
      account,
      registeredAtMs: nowMs,
      ...(ttlMs === undefined ? {} : { expiresAtMs: nowMs + ttlMs }),
    })
    .pipe(Effect.catchTag("AgentIdTaken", (error) => Effect.die(error)));
  return json(200, { agent_runtime_id: agentRuntimeId });
});

const clockWindowMs = 300_000;

const checkRegistration = Effect.fnUntraced(function* (
  body: JsonObject,
  agent: RegisteredAgent,
): Effect.fn.Return<void, EndpointError | RequestRejected | StoreUnavailable> {
  const timestamp = yield* stringMember(body, "timestamp");
  const signature = yield* stringMember(body, "signature");
  if (decodeBase64(signature) === null)
    return yield* badRequest("invalid_body", "signature: must be base64");
  const signedAtMs = parseRfc3339Second(timestamp);
  const nowMs = yield* Clock.currentTimeMillis;
  if (signedAtMs === null || Math.abs(nowMs - signedAtMs) > clockWindowMs)
    return yield* reject(
      "stale_timestamp",
      "the timestamp is not within five minutes of the server's clock",
    );
  const key = yield* importAgentPublicKey(agent.publicKey).pipe(
    Effect.mapError(({ problem }) => new StoreUnavailable({ store: "registry", problem })),
  );
  if (!key.verify(registrationMessage(agent.agentRuntimeId, timestamp), signature))
    return yield* reject("bad_signature", "the signature is not the agent's");
});

const sealed = Effect.fnUntraced(function* (agent: RegisteredAgent, taskId: string) {
  // Sealed boxes load a crypto library that most requests do not need.
  const { sealToAgent } = yield* Effect.promise(
    () => import("@agent-auth/agent-identity/keys/sealed-box"),
  );
  return yield* Effect.orDie(
    Effect.flatMap(importAgentPublicKey(agent.publicKey), ({ raw }) => sealToAgent(raw, taskId)),
  );
});

/** How tasks are registered. */
export interface TaskOptions {
  readonly registry: AgentRegistry["Service"];
  /** Default `task_id`. */
  readonly taskIdField?: TaskIdField;
  /** How long a task is known. Default one day: an agent registers another after a 401. */
  readonly taskTtlMs?: number;
  /** A further check of the request, such as of its `X-OpenAI-Authorization` header. */
  readonly check?: (
    request: Request,
    agent: RegisteredAgent,
  ) => Effect.Effect<void, RequestRejected | StoreUnavailable | EndpointError>;
}

const dayMs = 86_400_000;

/**
 * Responds to `POST …/v1/agent/{id}/task/register` (docs/protocol.md §7): checks the signature and the time, five minutes in
 * the past or future, and registers a task.
 *
 * @example
 * ```ts
 * import { registerTask, responding } from "@agent-auth/gateway/endpoints";
 * import { makeMemoryRegistry } from "@agent-auth/gateway/registry";
 * import * as Effect from "effect/Effect";
 *
 * const url = "https://codex.example/v1/agent/agent-1/task/register";
 * const request = new Request(url, { method: "POST", body: '{"timestamp":"","signature":""}' });
 * const registry = makeMemoryRegistry().service;
 * const challenges = { realm: "models", acceptsBearer: false };
 * const endpoint = responding(registerTask(request, "agent-1", { registry }), challenges);
 * const { status } = await Effect.runPromise(endpoint); // 400
 * ```
 */
export const registerTask = Effect.fnUntraced(function* (
  request: Request,
  agentRuntimeId: string,
  options: TaskOptions,
): Effect.fn.Return<Response, RequestRejected | StoreUnavailable | EndpointError> {
  const { registry, taskIdField: field = "task_id", taskTtlMs = dayMs } = options;
  const body = yield* readJson(request);
  yield* stringMember(body, "signature");
  const agent = Option.getOrUndefined(yield* registry.findAgent(agentRuntimeId));
  if (agent === undefined) {
    const message = `no agent ${JSON.stringify(agentRuntimeId.slice(0, 100))} is registered`;
    return yield* new EndpointError({ status: 404, code: "unknown_agent", message });
  }
  if (agent.revokedAtMs !== undefined)
    return yield* reject("agent_revoked", "the agent was revoked");
  yield* checkRegistration(body, agent);
  if (options.check !== undefined) yield* options.check(request, agent);
  const taskId = `task_${randomBytes(12).toString("base64url")}`;
  const nowMs = yield* Clock.currentTimeMillis;
  yield* registry.addTask({ agentRuntimeId, taskId, expiresAtMs: nowMs + taskTtlMs });
  const isPlain = field === "task_id" || field === "taskId";
  return json(200, { [field]: isPlain ? taskId : yield* sealed(agent, taskId) });
});

/** Whether `If-None-Match` names the entity tag (RFC 9110 §13.1.2: weak comparison). */
const matches = (ifNoneMatch: string | null, etag: string): boolean =>
  (ifNoneMatch ?? "")
    .split(",")
    .map((tag) => tag.trim().replace(/^W\//, ""))
    .some((tag) => tag === "*" || tag === etag);

/**
 * Returns the response to a request for a key set: 304 if the client has it.
 *
 * @example
 * ```ts
 * import { jwksResponse } from "@agent-auth/gateway/endpoints";
 *
 * const headers = { "if-none-match": '"1"' };
 * const request = new Request("https://codex.example/api/codex/agent-identities/jwks", { headers });
 * jwksResponse(request, { document: { keys: [] }, etag: '"1"' }, "max-age=300").status; // 304
 * ```
 */
export const jwksResponse = (
  request: Request,
  { document, etag }: Omit<PublishedJwks, "document"> & { readonly document: unknown },
  cacheControl: string | null,
): Response => {
  const headers = {
    etag,
    ...(cacheControl === null ? {} : { "cache-control": cacheControl }),
  };
  if (matches(request.headers.get("if-none-match"), etag))
    return new Response(null, { status: 304, headers });
  return new Response(JSON.stringify(document), {
    status: 200,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
  });
};

/**
 * Returns the response of whoami for an account, with the agent's id if an agent asks.
 *
 * @example
 * ```ts
 * import { whoamiResponse } from "@agent-auth/gateway/endpoints";
 *
 * whoamiResponse({ accountId: "account-1" }).status; // 200
 * ```
 */
export const whoamiResponse = (account: AgentAccount, agentRuntimeId?: string): Response =>
  json(200, {
    email: account.email ?? null,
    chatgpt_user_id: account.userId ?? null,
    chatgpt_account_id: account.accountId,
    chatgpt_plan_type: account.planType ?? "unknown",
    chatgpt_account_is_fedramp: account.isFedramp ?? false,
    ...(agentRuntimeId === undefined ? {} : { agent_runtime_id: agentRuntimeId }),
  });

export type { EndpointResult };
