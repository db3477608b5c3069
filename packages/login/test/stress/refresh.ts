// `npm run stress:refresh -w @agent-auth/login [-- <rounds> <processes>]`: twenty rounds of thirty-two processes, half of
// them with an authority that answers late. Exits with 1 unless each round had one refresh and no failure.
import { runRound } from "./refresh-round.ts";

const [rounds = 20, processes = 32] = process.argv.slice(2).map(Number);
let failed = 0;
for (let round = 1; round <= rounds; round++) {
  const delayMs = round % 2 === 0 ? 1_500 : 0;
  const startedMs = performance.now();
  const result = await runRound({ processes, delayMs });
  const isGood = result.refreshRequests === 1 && result.successes === processes && result.isOnePair;
  if (!isGood) failed += 1;
  console.log(
    `round ${round}: ${isGood ? "ok" : "FAILED"}, answer after ${delayMs} ms, ` +
      `${result.refreshRequests} refresh request(s), ${result.successes} of ${processes} succeeded, ` +
      `${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
  );
  for (const failure of new Set(result.failures)) console.log(`  ${failure}`);
}
console.log(`${rounds - failed} of ${rounds} rounds as they should be`);
process.exitCode = failed === 0 ? 0 : 1;
