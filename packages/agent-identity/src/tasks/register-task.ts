import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Random from "effect/Random";
import * as Redacted from "effect/Redacted";
import {
  type AgentTaskError,
  TaskAnswerMalformed,
  TaskIdUndecryptable,
  TaskRegistrationRefused,
  TaskRegistrationUnreachable,
  isTransientHttpError,
} from "../errors/index.ts";
import { HttpTransport, type HttpRequest } from "../http/index.ts";
import { isId } from "../record/id.ts";
import { quoteAnswer } from "../http/quote-body.ts";
import { parseRetryAfterMs } from "../http/retry-after.ts";
import { formatRfc3339Second } from "../encoding/rfc3339.ts";
import type { AgentKey } from "../keys/index.ts";
import type { AgentIdentityRecord } from "../record/index.ts";
import { taskRegistrationUrl } from "../urls/index.ts";
import { parseTaskAnswer } from "./task-response.ts";

/** What a registration needs. */
export interface RegisterTaskOptions {
  readonly record: Pick<AgentIdentityRecord, "agentRuntimeId">;
  readonly key: AgentKey;
  /** Normalised; `taskApiBaseUrl` of `./urls` makes it. */
  readonly taskApiBaseUrl: string;
  /** Sent as `X-OpenAI-Authorization`; only where a user access token exists. */
  readonly biscuit?: Redacted.Redacted;
}

const timeoutMs = 30_000;
const maxAttempts = 3;
const firstBackoffMs = 500;
/** A server that wants us gone for longer gets its wish: the caller is told at once. */
const maxRetryAfterMs = 60_000;

/** The bytes that a task registration signs; the timestamp is RFC 3339 in whole seconds with `Z`. */
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
    timeoutMs,
  };
};

type AttemptError = TaskRegistrationRefused | TaskRegistrationUnreachable;

/** One request, freshly signed: a timestamp of before the wait could be out of the server's window. */
const attempt = Effect.fnUntraced(function* (
  options: RegisterTaskOptions,
  url: string,
  attempts: number,
): Effect.fn.Return<string, AttemptError, HttpTransport> {
  const transport = yield* HttpTransport;
  const nowMs = yield* Clock.currentTimeMillis;
  const request = requestFor(options, url, nowMs);
  const answer = yield* Effect.mapError(
    transport.request(request),
    (failure) => new TaskRegistrationUnreachable({ failure, attempts }),
  );
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  const secrets = options.biscuit === undefined ? [] : [Redacted.value(options.biscuit)];
  const retryAfterMs = parseRetryAfterMs(answer.headers["retry-after"], nowMs);
  return yield* new TaskRegistrationRefused({
    ...quoteAnswer(answer, secrets),
    attempts,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
});

/** Milliseconds to wait before the next attempt; null where there should be none. */
const waitAfter = (error: AttemptError, attempts: number, jitter: number): number | null => {
  if (attempts >= maxAttempts) return null;
  const backoffMs = firstBackoffMs * 2 ** (attempts - 1) * (1 + jitter);
  if (error._tag === "TaskRegistrationUnreachable") {
    return isTransientHttpError(error.failure) ? backoffMs : null;
  }
  if (error.status !== 429 && error.status < 500) return null;
  const { retryAfterMs = 0 } = error;
  return retryAfterMs > maxRetryAfterMs ? null : Math.max(backoffMs, retryAfterMs);
};

const attemptUntilFinal = Effect.fnUntraced(function* (
  options: RegisterTaskOptions,
  url: string,
): Effect.fn.Return<string, AttemptError, HttpTransport> {
  for (let attempts = 1; ; attempts += 1) {
    const jitter = yield* Random.next;
    const outcome = yield* Effect.result(attempt(options, url, attempts));
    if (outcome._tag === "Success") return outcome.success;
    const waitMs = waitAfter(outcome.failure, attempts, jitter);
    if (waitMs === null) return yield* outcome.failure;
    yield* Effect.sleep(waitMs);
  }
});

const unseal = Effect.fnUntraced(function* (
  key: AgentKey,
  sealed: string,
): Effect.fn.Return<string, TaskIdUndecryptable> {
  const { unsealWithAgentKey } = yield* Effect.promise(() => import("../keys/sealed-box.ts"));
  const opened = yield* Effect.mapError(
    unsealWithAgentKey(key, sealed),
    ({ problem }) => new TaskIdUndecryptable({ problem }),
  );
  return Buffer.from(opened).toString("utf8");
});

/**
 * Registers a task of a runtime and returns its id (docs/protocol.md §7); a sealed id is opened with the agent's key.
 * 5xx, 429 and transport failures are tried again, three attempts in all, after 0.5 to 2 s or as long as
 * `Retry-After` says (up to a minute); every attempt is signed anew. Other statuses are final. Fails with
 * `AgentTaskError`, which quotes at most 512 characters of an error answer.
 */
export const registerTask = Effect.fn("registerTask")(function* (
  options: RegisterTaskOptions,
): Effect.fn.Return<string, AgentTaskError, HttpTransport> {
  const url = yield* taskRegistrationUrl(options.taskApiBaseUrl, options.record.agentRuntimeId);
  const body = yield* attemptUntilFinal(options, url);
  const answered = yield* parseTaskAnswer(body);
  const taskId =
    answered._tag === "Plain" ? answered.taskId : yield* unseal(options.key, answered.sealed);
  if (isId(taskId)) return taskId;
  return yield* new TaskAnswerMalformed({ problem: "its task id is not printable ASCII" });
});
