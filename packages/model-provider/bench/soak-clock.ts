/**
 * Lets an hour pass within a few minutes, in this process and in those that it forks: `Date.now` runs faster, so that key
 * sets go stale, tokens expire and clock windows close while the soak runs. Returns the milliseconds of real time since
 * the soak started.
 */
export const startCompressedClock = (): (() => number) => {
  const factor = Number(process.env["SOAK_CLOCK_FACTOR"] ?? 20);
  const realNow = Date.now.bind(Date);
  // Child processes inherit the start.
  const startMs = Number((process.env["SOAK_START_MS"] ??= String(realNow())));
  Date.now = () => Math.round(startMs + (realNow() - startMs) * factor);
  return () => realNow() - startMs;
};
