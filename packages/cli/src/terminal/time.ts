const minute = 60_000;
const units = [
  ["day", 24 * 60 * minute],
  ["hour", 60 * minute],
  ["minute", minute],
] as const;

/** A time and its distance from now: `2026-04-13T12:00:00Z (in 3 hours)`. */
export const timeText = (ms: number, nowMs: number): string => {
  const moment = new Date(ms);
  if (Number.isNaN(moment.getTime())) return "at an unknown time";
  return `${moment.toISOString().slice(0, 19)}Z (${distance(ms - nowMs)})`;
};

const distance = (ms: number): string => {
  const size = Math.abs(ms);
  const [unit, length] = units.find(([, length]) => size >= length) ?? ["second", 1000];
  const count = Math.floor(size / length);
  const amount = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return ms < 0 ? `${amount} ago` : `in ${amount}`;
};

/** The time that is left, as `14:59`; `0:00` if it is over. */
export const timeLeft = (untilMs: number, nowMs: number): string => {
  const seconds = Math.max(0, Math.ceil((untilMs - nowMs) / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
};

/** RFC 3339 with `Z`, in whole seconds; `null` stays `null`. */
export const isoSeconds = (ms: number | null): string | null =>
  ms === null ? null : `${new Date(ms).toISOString().slice(0, 19)}Z`;
