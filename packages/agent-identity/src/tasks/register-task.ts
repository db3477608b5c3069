import * as Clock from "effect/Clock";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Random from "effect/Random";
import * as Redacted from "effect/Redacted";
import * as Schedule from "effect/Schedule";
import * as z from "zod/mini";
import { formatRfc3339Second } from "../encoding/rfc3339.ts";
import { idExpectation, isId } from "../encoding/text.ts";
import {
  type AgentTaskError,
  isTransientHttpError,
  TaskIdDecryptionFailed,
  TaskIdMissing,
  TaskRegistrationRejected,
  TaskRegistrationRequestFailed,
  TaskRegistrationResponseMalformed,
} from "../errors/index.ts";
import { HttpTransport, type HttpRequest } from "../http/index.ts";
import { quoteResponse } from "../http/quote-response.ts";
import { parseRetryAfterMs } from "../http/retry-after.ts";
import { isSuccessStatus, isTransientStatus } from "../http/status.ts";
import { requestTimeoutMs } from "../http/timeouts.ts";
import type { AgentKey } from "../keys/index.ts";
import type { AgentIdentityRecord } from "../record/index.ts";
import { taskRegistrationUrl } from "../urls/index.ts";

/** What a task registration needs. */
export interface RegisterTaskOptions {
  readonly record: Pick<AgentIdentityRecord, "agentRuntimeId">;
  readonly key: AgentKey;
  /** Normalised; `taskApiBaseUrl` of `@agent-auth/agent-identity/urls` returns it. */
  readonly taskApiBaseUrl: string;
  /** Sent as `X-OpenAI-Authorization`, if the user has an access token. */
  readonly biscuit?: Redacted.Redacted;
}

const maxAttempts = 3;
const firstBackoffMs = 500;
/** If the server asks to wait longer, the registration fails at once instead. */
const maxRetryAfterMs = 60_000;

/**
 * Returns the text that a task registration signs. `timestamp` is RFC 3339 in whole seconds with `Z`.
 *
 * @example
 * ```ts
 * import { registrationMessage } from "@agent-auth/agent-identity/tasks";
 *
 * registrationMessage("agent-123", "2026-04-13T12:00:00Z"); // "agent-123:2026-04-13T12:00:00Z"
 * ```
 */
export const registrationMessage = (agentRuntimeId: string, timestamp: string): string =>
  `${agentRuntimeId}:${timestamp}`;

const requestFor = (options: RegisterTaskOptions, url: string, nowMs: number): HttpRequest => {
  const timestamp = formatRfc3339Second(Math.floor(nowMs / 1000));
  const message = registrationMessage(options.record.agentRuntimeId, timestamp);
  const { biscuit } = options;
  return {
    method: "POST",
    url,
    headers: {
      "content-type": "application/json",
      accept: "application/json",
      ...(biscuit === undefined ? {} : { "X-OpenAI-Authorization": biscuit }),
    },
    body: JSON.stringify({ timestamp, signature: options.key.sign(message) }),
    timeoutMs: requestTimeoutMs,
  };
};

type AttemptError = TaskRegistrationRejected | TaskRegistrationRequestFailed;

/** One request with a new signature, since the server rejects an old timestamp. */
const attempt = Effect.fnUntraced(function* (
  options: RegisterTaskOptions,
  url: string,
): Effect.fn.Return<string, AttemptError, HttpTransport> {
  const transport = yield* HttpTransport;
  const { attempt: retries } = yield* Schedule.CurrentMetadata;
  const attempts = retries + 1;
  const nowMs = yield* Clock.currentTimeMillis;
  const response = yield* Effect.mapError(
    transport.request(requestFor(options, url, nowMs)),
    (failure) => new TaskRegistrationRequestFailed({ failure, attempts }),
  );
  if (isSuccessStatus(response.status)) return response.body;
  const secrets = options.biscuit === undefined ? [] : [Redacted.value(options.biscuit)];
  const retryAfterMs = parseRetryAfterMs(response.headers["retry-after"], nowMs);
  return yield* new TaskRegistrationRejected({
    ...quoteResponse(response, secrets),
    attempts,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
});

const retryAfterMsOf = (error: AttemptError): number =>
  error._tag === "TaskRegistrationRejected" ? (error.retryAfterMs ?? 0) : 0;

const isTransient = (error: AttemptError): boolean =>
  error._tag === "TaskRegistrationRequestFailed"
    ? isTransientHttpError(error.failure)
    : isTransientStatus(error.status) && retryAfterMsOf(error) <= maxRetryAfterMs;

/** 0.5 s, then 1 s, each up to twice as long at random, or as long as `Retry-After` says. */
const backoff = Schedule.exponential(firstBackoffMs).pipe(
  Schedule.setInputType<AttemptError>(),
  Schedule.upTo({ times: maxAttempts - 1 }),
  Schedule.modifyDelay(({ input, output }) =>
    Effect.map(Random.next, (jitter) =>
      Math.max(Duration.toMillis(output) * (1 + jitter), retryAfterMsOf(input)),
    ),
  ),
);

const text = z.nullish(z.string());
const TaskResponse = z.object({
  task_id: text,
  taskId: text,
  encrypted_task_id: text,
  encryptedTaskId: text,
});

const firstNonBlank = (...values: ReadonlyArray<string | null | undefined>): string | undefined =>
  values.find((value): value is string => typeof value === "string" && value.trim() !== "");

/** Parses the body of a registration response, with all four names of docs/protocol.md §7; plain text has precedence. */
const parseTaskResponse = Effect.fnUntraced(function* (body: string) {
  const json = yield* Effect.try({
    try: (): unknown => JSON.parse(body),
    catch: () => new TaskRegistrationResponseMalformed({ problem: "it is not JSON" }),
  });
  const { data } = TaskResponse.safeParse(json);
  if (data === undefined) {
    const problem = "it is not an object with a task id";
    return yield* new TaskRegistrationResponseMalformed({ problem });
  }
  const taskId = firstNonBlank(data.task_id, data.taskId);
  if (taskId !== undefined) return { taskId };
  const encrypted = firstNonBlank(data.encrypted_task_id, data.encryptedTaskId);
  return encrypted === undefined ? yield* new TaskIdMissing() : { encrypted };
});

const decrypt = Effect.fnUntraced(function* (
  key: AgentKey,
  encrypted: string,
): Effect.fn.Return<string, TaskIdDecryptionFailed> {
  const { unsealWithAgentKey } = yield* Effect.promise(() => import("../keys/sealed-box.ts"));
  const bytes = yield* Effect.mapError(
    unsealWithAgentKey(key, encrypted),
    ({ problem }) => new TaskIdDecryptionFailed({ problem }),
  );
  return Buffer.from(bytes).toString("utf8");
});

/**
 * Registers a task of an agent runtime and returns the task id (docs/protocol.md §7); an encrypted id is decrypted with
 * the agent's key. 5xx, 429 and transport failures are retried, three attempts in all, after 0.5 to 2 s or as long as
 * `Retry-After` says (up to a minute); every attempt has a new signature. Other statuses are final. Fails with
 * `AgentTaskError`, which quotes at most 512 characters of an error response.
 *
 * @example
 * ```ts
 * import { HttpTransport } from "@agent-auth/agent-identity/http";
 * import { generateAgentKey } from "@agent-auth/agent-identity/keys";
 * import { registerTask } from "@agent-auth/agent-identity/tasks";
 * import * as Effect from "effect/Effect";
 *
 * const response = { status: 200, statusText: "OK", headers: {}, body: '{"task_id":"task-123"}' };
 * const program = Effect.gen(function* () {
 *   const key = yield* generateAgentKey;
 *   const record = { agentRuntimeId: "agent-123" };
 *   return yield* registerTask({ record, key, taskApiBaseUrl: "https://authority.example" });
 * }).pipe(Effect.provideService(HttpTransport, { request: () => Effect.succeed(response) }));
 * await Effect.runPromise(program); // "task-123"
 * ```
 */
export const registerTask = Effect.fn("registerTask")(function* (
  options: RegisterTaskOptions,
): Effect.fn.Return<string, AgentTaskError, HttpTransport> {
  const url = yield* taskRegistrationUrl(options.taskApiBaseUrl, options.record.agentRuntimeId);
  const body = yield* Effect.retry(attempt(options, url), {
    schedule: backoff,
    while: isTransient,
  });
  const response = yield* parseTaskResponse(body);
  const taskId = response.taskId ?? (yield* decrypt(options.key, response.encrypted));
  if (isId(taskId)) return taskId;
  return yield* new TaskRegistrationResponseMalformed({
    problem: `its task id is not ${idExpectation}`,
  });
});
