const seconds = /^\d+$/;
const imfFixdate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const rfc850 = /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/;
const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/** Milliseconds since the epoch of an HTTP date (RFC 9110 §5.6.7, all three forms), or NaN. */
const parseHttpDate = (text: string): number => {
  // Date.parse alone accepts far more, such as "-1", and reads asctime as local time.
  if (asctime.test(text)) return Date.parse(`${text} GMT`);
  return imfFixdate.test(text) || rfc850.test(text) ? Date.parse(text) : Number.NaN;
};

/**
 * Milliseconds to wait according to a `Retry-After` header (RFC 9110 §10.2.3), in seconds or as an HTTP date. A date that
 * has passed gives 0. Returns undefined if the header is absent or malformed. The result is not capped.
 *
 * @example
 * ```ts
 * import { parseRetryAfterMs } from "@agent-auth/agent-identity/http/retry-after";
 *
 * const nowMs = Date.parse("2026-04-13T12:00:00Z");
 * parseRetryAfterMs("120", nowMs); // 120000
 * parseRetryAfterMs("Mon, 13 Apr 2026 12:00:30 GMT", nowMs); // 30000
 * parseRetryAfterMs("soon", nowMs); // undefined
 * ```
 */
export const parseRetryAfterMs = (
  value: string | null | undefined,
  nowMs: number,
): number | undefined => {
  const text = value?.trim() ?? "";
  if (seconds.test(text)) return Number(text) * 1000;
  const dateMs = parseHttpDate(text);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
};
