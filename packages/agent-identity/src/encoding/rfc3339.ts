const wholeSeconds = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/;
/** 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: RFC 3339 §5.6 has four digits for the year. */
const firstSecond = -62_167_219_200;
const lastSecond = 253_402_300_799;

/** Whether a number of seconds since the epoch can be written as RFC 3339. */
export const isRfc3339Second = (second: number): boolean =>
  Number.isInteger(second) && second >= firstSecond && second <= lastSecond;

/**
 * Whole seconds and `Z`, for example `2026-04-13T12:00:00Z`. `second` must satisfy `isRfc3339Second`.
 *
 * @example
 * ```ts
 * import { formatRfc3339Second } from "@agent-auth/agent-identity/encoding";
 *
 * formatRfc3339Second(1_776_081_600); // "2026-04-13T12:00:00Z"
 * ```
 */
export const formatRfc3339Second = (second: number): string =>
  `${new Date(second * 1000).toISOString().slice(0, 19)}Z`;

/**
 * Milliseconds since the epoch of a time in the exact form that `formatRfc3339Second` writes, else null.
 *
 * @example
 * ```ts
 * import { parseRfc3339Second } from "@agent-auth/agent-identity/encoding";
 *
 * parseRfc3339Second("2026-04-13T12:00:00Z"); // 1776081600000
 * ```
 */
export const parseRfc3339Second = (text: string): number | null => {
  if (!wholeSeconds.test(text)) return null;
  const ms = Date.parse(text);
  // Date.parse turns the 31st of a short month into the 1st of the next; such a date is invalid.
  return Number.isNaN(ms) || formatRfc3339Second(ms / 1000) !== text ? null : ms;
};

/** Any RFC 3339 time as whole seconds and `Z`; null if the text is not one. */
export const normalizeRfc3339 = (text: string): string | null => {
  if (!rfc3339.test(text)) return null;
  const second = Math.floor(Date.parse(text) / 1000);
  return isRfc3339Second(second) ? formatRfc3339Second(second) : null;
};
