const minute = 60_000;
const units = [
  ["day", 24 * 60 * minute],
  ["hour", 60 * minute],
  ["minute", minute],
] as const;

/** A moment and how far away it is: `2026-04-13T12:00:00Z (in 3 hours)`. */
export const untilText = (ms: number, nowMs: number): string => {
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
