import type { RequestRejected } from "../errors/index.ts";
import { makeWindowCounter, type RateLimit, type WindowCounter } from "../limits/index.ts";
import { reject } from "./rejection.ts";

export const counterOf = (limit: RateLimit | null | undefined): WindowCounter | undefined =>
  limit === null || limit === undefined ? undefined : makeWindowCounter(limit);

/** The limits of one source: its requests, and its failed verifications. Without a source, nothing is limited. */
export const makeSourceLimits = (options: {
  readonly perSource?: RateLimit | undefined;
  readonly failuresPerSource?: RateLimit | null | undefined;
}) => {
  const { failuresPerSource = { limit: 1000, windowMs: 10_000 } } = options;
  const requests = counterOf(options.perSource);
  const failures = counterOf(failuresPerSource);
  /** The rejection of a source with too many failures, made once for each number of seconds to wait. */
  let failing: RequestRejected | undefined;
  return {
    /** Counts a request. Returns the rejection if it is one too many. */
    countRequest: (source: string | undefined, nowMs: number): RequestRejected | undefined => {
      const waitMs = source === undefined ? 0 : (requests?.hit(source, nowMs) ?? 0);
      if (waitMs === 0) return undefined;
      return reject("rate_limited", "too many requests from this source", waitMs);
    },
    countFailure: (source: string | undefined, nowMs: number): void => {
      if (source !== undefined) failures?.hit(source, nowMs);
    },
    /** Returns the rejection if the source has had too many failures. */
    checkFailures: (source: string | undefined, nowMs: number): RequestRejected | undefined => {
      const waitMs = source === undefined ? 0 : (failures?.blockedForMs(source, nowMs) ?? 0);
      if (waitMs === 0) return undefined;
      if (failing?.retryAfterSeconds !== Math.max(1, Math.ceil(waitMs / 1000)))
        failing = reject(
          "too_many_failures",
          "too many failed verifications from this source",
          waitMs,
        );
      return failing;
    },
  };
};
