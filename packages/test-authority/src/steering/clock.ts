/** The authority's clock: the machine's clock plus an offset that a test sets. */
export interface AuthorityClock {
  /** Milliseconds since the epoch, offset included. */
  readonly nowMs: () => number;
  /** Milliseconds by which the authority is ahead of (positive) or behind (negative) its base clock. */
  readonly offsetMs: () => number;
  readonly setOffset: (offsetMs: number) => void;
  /** Moves the authority forward by this many milliseconds. */
  readonly advance: (ms: number) => void;
}

export const makeClock = (base: () => number): AuthorityClock => {
  let offset = 0;
  return {
    nowMs: () => base() + offset,
    offsetMs: () => offset,
    setOffset(offsetMs) {
      offset = offsetMs;
    },
    advance(ms) {
      offset += ms;
    },
  };
};

/** Returns whole seconds since the epoch, as in JWT claims. */
export const epochSeconds = (ms: number): number => Math.floor(ms / 1000);
