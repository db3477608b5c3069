/** At most `limit` in each window of `windowMs` milliseconds. */
export interface RateLimit {
  readonly limit: number;
  readonly windowMs: number;
}

/** Counts hits by key in fixed windows. */
export interface WindowCounter {
  /** Counts a hit. Returns 0 if it is within the limit, else the milliseconds until the window ends. */
  readonly hit: (key: string, nowMs: number) => number;
  /** Returns the milliseconds until the window ends if the limit is reached, else 0. Counts nothing. */
  readonly blockedForMs: (key: string, nowMs: number) => number;
}

/** How many keys are counted at a time; all further ones share one counter. */
const maxKeys = 20_000;
/** The name of that counter. Not a key: those have at least one character. */
const others = "";

/**
 * Creates a counter whose memory is bounded whatever keys it gets. All windows begin at the same time and are forgotten at
 * once. Throws `TypeError` or `RangeError` for a limit or window that is not a positive number.
 */
export const makeWindowCounter = ({ limit, windowMs }: RateLimit): WindowCounter => {
  for (const [name, value] of Object.entries({ limit, windowMs })) {
    if (typeof value !== "number") throw new TypeError(`${name} must be a number`);
    if (!(value >= 1 && value <= Number.MAX_SAFE_INTEGER))
      throw new RangeError(`${name} must be one or more`);
  }
  let counts = new Map<string, number>();
  let endsAtMs = 0;
  const startWindow = (nowMs: number) => {
    // A clock that was set back must not keep a window open.
    if (nowMs < endsAtMs && nowMs >= endsAtMs - windowMs) return;
    endsAtMs = nowMs + windowMs;
    if (counts.size > 0) counts = new Map();
  };
  const counted = (key: string) => (counts.has(key) || counts.size < maxKeys ? key : others);
  return {
    hit: (key, nowMs) => {
      startWindow(nowMs);
      const name = counted(key);
      const count = (counts.get(name) ?? 0) + 1;
      if (count > limit) return endsAtMs - nowMs;
      counts.set(name, count);
      return 0;
    },
    blockedForMs: (key, nowMs) => {
      startWindow(nowMs);
      return (counts.get(counted(key)) ?? 0) >= limit ? endsAtMs - nowMs : 0;
    },
  };
};
