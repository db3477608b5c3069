import { isReplayable } from "./replay.ts";

/** When an attempt is repeated, and after how long. */
export interface RetryPolicy {
  /** Attempts after the first one, on 5xx, 429 and transport failures. */
  readonly maxRetries: number;
  /** Milliseconds before the first retry; each further one waits twice as long. */
  readonly baseDelayMs: number;
  /** Milliseconds. A `Retry-After` beyond it ends the retries. */
  readonly maxDelayMs: number;
}

/** After a 401: read again what is stored, then refresh (docs/protocol.md §9). Each earns one more attempt. */
export const maxRecoveries = 2;

export interface RetryOptions {
  /** Attempts after the first one on 5xx, 429 and transport failures. Default: the provider's `request_max_retries`. */
  readonly maxRetries?: number;
  /** Milliseconds before the first retry, doubled for each further one, with jitter. Default 200. */
  readonly retryBaseDelayMs?: number;
  /** Milliseconds that a retry waits at most; a server that asks for more gets no retry. Default 60,000. */
  readonly retryMaxDelayMs?: number;
}

export const retryPolicy = (options: RetryOptions, configured: number): RetryPolicy => ({
  maxRetries: countOf("maxRetries", options.maxRetries ?? configured),
  baseDelayMs: countOf("retryBaseDelayMs", options.retryBaseDelayMs ?? 200),
  maxDelayMs: Math.min(
    countOf("retryMaxDelayMs", options.retryMaxDelayMs ?? 60_000),
    longestTimerMs,
  ),
});

/** A timer that is set for longer goes off at once. */
const longestTimerMs = 2 ** 31 - 1;

const countOf = (name: string, value: number): number => {
  if (!Number.isInteger(value) || value < 0)
    throw new TypeError(`${name} must be a whole number, zero or more`);
  return value;
};

/** What came of an attempt: the network's failure, or an answer. */
export type AttemptOutcome =
  | { readonly error: unknown }
  | { readonly status: number; readonly retryAfter: () => string | null };

/**
 * Milliseconds until the attempt after this one, where `retries` were made before; `null` where there is to be none:
 * the outcome is no reason, the body is gone, or the policy has had enough.
 */
export const retryInMs = (
  policy: RetryPolicy,
  retries: number,
  body: unknown,
  outcome: AttemptOutcome,
): number | null => {
  if (retries >= policy.maxRetries || !isWorthRetrying(outcome) || !isReplayable(body)) return null;
  const retryAfter = "status" in outcome ? outcome.retryAfter() : null;
  return retryDelayMs(policy, retries, retryAfter, Date.now());
};

const isWorthRetrying = (outcome: AttemptOutcome): boolean =>
  "status" in outcome
    ? outcome.status >= 500 || outcome.status === 429
    : isTransportFailure(outcome.error);

const hopeless: ReadonlySet<unknown> = new Set([
  "UND_ERR_ABORTED",
  "UND_ERR_CLOSED",
  "UND_ERR_DESTROYED",
  "UND_ERR_INVALID_ARG",
  "UND_ERR_NOT_SUPPORTED",
  "PROVIDER_CERTIFICATE_UNTRUSTED",
]);

/** Whether the network failed, rather than the request's maker: an error with a `code`, which fetch wraps once. */
const isTransportFailure = (error: unknown): boolean => {
  const code = codeOf(error) ?? (error instanceof Error ? codeOf(error.cause) : undefined);
  return typeof code === "string" && !hopeless.has(code);
};

const codeOf = (error: unknown): unknown =>
  error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;

/**
 * Milliseconds to wait before retry number `retry` (0 is the first): what `Retry-After` says (RFC 9110 §10.2.3), else
 * a delay that doubles each time, give or take a tenth. `null` where the server asks for more than is waited.
 */
export const retryDelayMs = (
  policy: RetryPolicy,
  retry: number,
  retryAfter: string | null | undefined,
  nowMs: number,
): number | null => {
  const asked = parseRetryAfter(retryAfter, nowMs);
  if (asked !== null) return asked > policy.maxDelayMs ? null : asked;
  const jitter = 0.9 + Math.random() * 0.2;
  return Math.min(policy.baseDelayMs * 2 ** retry * jitter, policy.maxDelayMs);
};

/** Seconds or a date; anything else says nothing, and a date that is over says "at once". */
const parseRetryAfter = (value: string | null | undefined, nowMs: number): number | null => {
  const text = value?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const at = httpDate.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
};

/** IMF-fixdate (RFC 9110 §5.6.7), the only form that a sender may write. `Date.parse` alone takes "-1" for a year. */
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
