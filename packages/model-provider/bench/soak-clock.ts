// Lets an hour pass within a few minutes, in every process that imports this or is forked by one that does: `Date.now` runs
// faster, so that key sets go stale, tokens expire and clock windows close while the soak runs.

const factor = Number(process.env["SOAK_CLOCK_FACTOR"] ?? 20);
const realNow = Date.now.bind(Date);
// Child processes inherit it.
const startMs = Number((process.env["SOAK_START_MS"] ??= String(realNow())));

Date.now = () => Math.round(startMs + (realNow() - startMs) * factor);

/** Milliseconds of real time since the soak started. */
export const realElapsedMs = (): number => realNow() - startMs;
