import { maxTimerMs } from "@agent-auth/agent-identity/http/timeouts";
import * as Clock from "effect/Clock";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Schedule from "effect/Schedule";
import type { ModelProviderError } from "../errors/index.ts";
import { makeRuntime, type Runtime, type RuntimeOptions } from "../runtime/index.ts";
import {
  type RequestSignerShape,
  type SignerOptions,
  signerFrom,
} from "../signing/request-signer.ts";
import type { RetryPolicy } from "./next-action.ts";

export interface RetryOptions {
  /** Attempts after the first one on 5xx, 429 and transport failures. Default: the provider's `request_max_retries`. */
  readonly maxRetries?: number;
  /** Milliseconds before the first retry, doubled for each further one, with jitter. Default 200. */
  readonly retryBaseDelayMs?: number;
  /** Milliseconds that a retry waits at most. If a server asks for more, there is no retry. Default 60,000. */
  readonly retryMaxDelayMs?: number;
}

export interface RequestOptions extends RetryOptions, RuntimeOptions {
  /**
   * What happens to requests to other origins than the provider's. `sendUnauthenticated` (default) sends them without the
   * credential and the provider's headers, `reject` fails with `RequestOriginNotAllowed`.
   */
  readonly otherOrigins?: "sendUnauthenticated" | "reject";
  /** Called if the credential could not be recovered after a 401; the caller gets the 401. Default: logs a warning. */
  readonly onRecoveryFailed?: (error: ModelProviderError) => void;
}

/** Returns what happens to requests to other origins. Throws `TypeError` for any other value than the two. */
export const otherOriginsOf = ({
  otherOrigins = "sendUnauthenticated",
}: Pick<RequestOptions, "otherOrigins">): NonNullable<RequestOptions["otherOrigins"]> => {
  if (otherOrigins === "reject" || otherOrigins === "sendUnauthenticated") return otherOrigins;
  throw new TypeError('otherOrigins must be "sendUnauthenticated" or "reject"');
};

/** What all requests of one authenticated fetch, or of one interceptor, share. */
export interface RequestTools {
  readonly signer: RequestSignerShape;
  readonly runtime: Runtime;
  readonly retry: RetryPolicy;
  readonly otherOrigins: NonNullable<RequestOptions["otherOrigins"]>;
  readonly onRecoveryFailed: (error: ModelProviderError) => void;
}

/** Returns what the requests share, from options that are checked here. Throws `TypeError`. */
export const requestTools = (options: SignerOptions & RequestOptions): RequestTools => {
  const signer = signerFrom(options);
  const runtime = makeRuntime(options);
  return {
    signer,
    runtime,
    retry: retryPolicy(options, signer.provider.requestMaxRetries),
    otherOrigins: otherOriginsOf(options),
    onRecoveryFailed: recoveryReporter(options, runtime),
  };
};

/** Returns the policy that options and the provider's `request_max_retries` add up to. Throws `TypeError`. */
export const retryPolicy = (options: RetryOptions, configuredRetries: number): RetryPolicy => ({
  maxRetries: wholeNumber("maxRetries", options.maxRetries ?? configuredRetries),
  baseDelayMs: wholeNumber("retryBaseDelayMs", options.retryBaseDelayMs ?? 200),
  maxDelayMs: Math.min(
    wholeNumber("retryMaxDelayMs", options.retryMaxDelayMs ?? 60_000),
    maxTimerMs,
  ),
});

const wholeNumber = (name: string, value: number): number => {
  if (!Number.isInteger(value) || value < 0)
    throw new TypeError(`${name} must be a whole number, 0 or more`);
  return value;
};

/** Waits `delayMs`, or as long as the request's retry schedule says. One function serves one request. */
export type RetryWait = (delayMs: number | undefined) => Effect.Effect<void>;

/** Returns the waits of one request: `baseDelayMs`, doubled each time, with jitter, at most `maxDelayMs`. */
export const makeRetryWait = ({ baseDelayMs, maxDelayMs }: RetryPolicy): RetryWait => {
  type Step = Effect.Success<ReturnType<typeof startSchedule>>;
  let step: Step | undefined;
  return Effect.fnUntraced(function* (delayMs) {
    if (delayMs !== undefined) return yield* Effect.sleep(delayMs);
    step ??= yield* startSchedule(baseDelayMs, maxDelayMs);
    const now = yield* Clock.currentTimeMillis;
    const [, delay] = yield* Effect.orDie(step(now, undefined));
    yield* Effect.sleep(delay);
  });
};

const startSchedule = (baseDelayMs: number, maxDelayMs: number) =>
  Schedule.exponential(baseDelayMs).pipe(
    Schedule.jittered,
    Schedule.modifyDelay(({ duration }) =>
      Effect.succeed(Duration.min(duration, Duration.millis(maxDelayMs))),
    ),
    Schedule.toStep,
  );

/** Milliseconds for which the same failure is not logged again. */
const logAgainMs = 30_000;

/**
 * Returns what is called for a failed recovery, which would otherwise show only as a 401. By default it logs a warning,
 * except for errors of an auth manager, which logs them itself.
 */
const recoveryReporter = (
  { onRecoveryFailed }: RequestOptions,
  { nowMs, run }: Runtime,
): ((error: ModelProviderError) => void) => {
  let last: { readonly code: string; readonly atMs: number } | undefined;
  return (
    onRecoveryFailed ??
    (({ message, code, hint }) => {
      const atMs = nowMs();
      const isRepeated = last?.code === code && atMs - last.atMs < logAgainMs;
      if (!code.startsWith("PROVIDER_") || isRepeated) return;
      last = { code, atMs };
      void run(
        Effect.logWarning(
          `the credential could not be recovered after a 401: ${message} (${code}). ${hint}`,
        ),
      );
    })
  );
};
