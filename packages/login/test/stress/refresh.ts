// `npm run stress:refresh -w @agent-auth/login [-- <rounds> <processes>]`: twenty rounds of thirty-two processes. The
// authority answers at once, late, or with 503. Exits with 1 unless each round had one attempt series.
import { bundleWorker, runRound } from "./refresh-round.ts";

const kinds = [
  { name: "answer at once", delayMs: 0 },
  { name: "answer after 1.5 s", delayMs: 1_500 },
  { name: "503", delayMs: 0, status: 503 },
  { name: "503 after 1.5 s", delayMs: 1_500, status: 503 },
];

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

const [rounds = 20, processes = 32] = process.argv.slice(2).map(Number);
const worker = await bundleWorker();
let failed = 0;
for (let round = 0; round < rounds; round++) {
  const { name, ...authority } = kinds[round % kinds.length] ?? { name: "", delayMs: 0 };
  const result = await runRound({ worker, processes, ...authority });
  const isDown = authority.status !== undefined;
  const isGood =
    result.refreshRequests === (isDown ? 3 : 1) &&
    result.successes === (isDown ? 0 : processes) &&
    result.isOnePair;
  if (!isGood) failed += 1;
  console.log(
    `round ${round + 1}: ${isGood ? "ok" : "FAILED"}, ${name}, ` +
      `${result.refreshRequests} refresh request(s) within ${seconds(result.seriesMs)}, ` +
      `${result.successes} of ${processes} succeeded, ` +
      `all started after ${seconds(result.startMs)} and had their outcome ${seconds(result.waitMs)} later`,
  );
  if (!isGood) for (const failure of new Set(result.failures)) console.log(`  ${failure}`);
}
console.log(`${rounds - failed} of ${rounds} rounds as they should be`);
process.exitCode = failed === 0 ? 0 : 1;
