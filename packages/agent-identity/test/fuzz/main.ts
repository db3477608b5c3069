// npm run fuzz -w @agent-auth/agent-identity [-- <inputs> <seed>]: by default 100,000 inputs with a new seed.
import { runFuzz } from "./run.ts";

const [inputs = 100_000, seed = Date.now() % 0x7fffffff] = process.argv.slice(2).map(Number);
const start = performance.now();
const { problems, ...report } = await runFuzz({ inputs, seed });
console.log({ ...report, seconds: (performance.now() - start) / 1000 });
for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? "no problem found" : `${problems.length} problems found`);
if (problems.length > 0) process.exitCode = 1;
