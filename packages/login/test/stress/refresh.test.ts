import { describe, expect, it } from "vitest";
import { runRound } from "./refresh-round.ts";

// The whole of it, 20 rounds of 32 processes, is `npm run stress:refresh -w @agent-auth/login`.
describe("processes that share a CODEX_HOME", () => {
  it.each([0, 400])(
    "refresh once when six of them start at once, answer after %i ms",
    async (delayMs) => {
      expect(await runRound({ processes: 6, delayMs })).toEqual({
        refreshRequests: 1,
        successes: 6,
        failures: [],
        isOnePair: true,
      });
    },
    60_000,
  );
});
