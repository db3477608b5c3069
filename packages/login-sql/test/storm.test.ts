import { missingPostgres } from "@agent-auth/tools/postgres";
import { describe, expect, it } from "vitest";
import { runStorm } from "./storm/run-storm.ts";

// The whole of it, 20 rounds of 64 programs, is `npm run storm -w @agent-auth/login-sql`.
describe.skipIf(missingPostgres !== undefined)("programs on two hosts", () => {
  it("spend a token once, and lose no pair, while its holder is stopped and servers fail", async () => {
    const lines: Array<string> = [];
    const log = (line: string) => void lines.push(line);
    const { results } = await runStorm({ rounds: 1, hosts: 2, processes: 2, cutMs: 2_000, log });
    const violations = results.flatMap((one) =>
      one.violations.map((it) => `${one.scenario}: ${it}`),
    );
    if (violations.length > 0) console.warn(lines.join("\n"));
    expect(violations).toEqual([]);
    expect(results.map(({ scenario }) => scenario)).toEqual([
      "nothing happens",
      "holder killed (-9)",
      "holder stopped",
      "Postgres restarted",
      "network cut",
      "replica promoted",
    ]);
  }, 240_000);
});
