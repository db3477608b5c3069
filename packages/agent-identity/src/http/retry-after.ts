const digits = /^\d{1,9}$/;
/** IMF-fixdate, the only form that RFC 9110 §5.6.7 lets a sender write. */
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Milliseconds that `Retry-After` (RFC 9110 §10.2.3) asks to wait, or undefined where it says nothing readable. */
export const readRetryAfterMs = (value: string | undefined, nowMs: number): number | undefined => {
  const text = value?.trim() ?? "";
  if (digits.test(text)) return Number(text) * 1000;
  return httpDate.test(text) ? Math.max(0, Date.parse(text) - nowMs) : undefined;
};
