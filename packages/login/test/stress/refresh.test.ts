import { beforeAll, describe, expect, it } from "vitest";
import type { BundledProgram } from "../support/bundle-program.ts";
import { bundleWorker, runRound } from "./refresh-round.ts";

// The whole of it, 20 rounds of 32 processes, is `npm run stress:refresh -w @agent-auth/login`.
describe("processes that share a CODEX_HOME with an expired token", () => {
  let worker: BundledProgram;
  beforeAll(async () => {
    worker = await bundleWorker();
  });

  it.each([0, 400])(
    "refresh once if six of them start at once, answer after %i ms",
    async (delayMs) => {
      expect(await runRound({ worker, processes: 6, delayMs })).toMatchObject({
        refreshRequests: 1,
        successes: 6,
        failures: [],
        isOnePair: true,
      });
    },
  );

  it("send one attempt series if twelve of them start at once and the authority answers 503", async () => {
    const round = await runRound({ worker, processes: 12, delayMs: 0, status: 503 });
    expect(round).toMatchObject({ refreshRequests: 3, successes: 0 });
    const failed =
      "RefreshFailed: access token could not be refreshed after 3 attempts: the authority responded with status 503";
    expect(round.failures).toEqual(
      Array.from({ length: 12 }, () => expect.stringContaining(failed)),
    );
  });
});
