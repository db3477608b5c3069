import type { VerifiedAssertion } from "./assertions.ts";

/** How many headers are kept. */
const maxHeaders = 20_000;

const secondOf = (ms: number): number => Math.floor(ms / 1000);

/** The headers that were verified in the current second: an agent sends the same one with all its requests of a second. */
export const makeVerifiedHeaders = () => {
  let headers = new Map<string, VerifiedAssertion>();
  let second = Number.NaN;
  return {
    find: (header: string, nowMs: number): VerifiedAssertion | undefined => {
      if (secondOf(nowMs) !== second) {
        second = secondOf(nowMs);
        if (headers.size > 0) headers = new Map();
      }
      return headers.get(header);
    },
    /** Remembers a header, unless its second is over or there are too many. `nowMs` is when its verification began. */
    remember: (header: string, verified: VerifiedAssertion, nowMs: number): void => {
      if (secondOf(nowMs) === second && headers.size < maxHeaders) headers.set(header, verified);
    },
    clear: () => headers.clear(),
    size: () => headers.size,
  };
};
