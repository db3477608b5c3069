// `npm run storm -w @agent-auth/login-sql [-- --rounds 20 --hosts 4 --processes 16 --cut 10 --minutes 60
// --only "network cut"]`: a private
// Postgres, hosts with separate homes and networks, and an authority that ends a sign-in when a refresh token is used
// twice. Exits with 1 if a token was sent twice, a running program lost a pair, or a program failed.
import { parseArgs } from "node:util";
import { missingPostgres } from "@agent-auth/tools/postgres";
import { runStorm } from "./run-storm.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    hosts: { type: "string", default: "4" },
    processes: { type: "string", default: "16" },
    /** Seconds for which the network is cut, or the holder stopped. */
    cut: { type: "string", default: "10" },
    minutes: { type: "string" },
    only: { type: "string", multiple: true },
  },
});

if (missingPostgres !== undefined) {
  console.error(missingPostgres);
  process.exit(1);
}
// So that what was started ends as well.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
const { isGood } = await runStorm({
  rounds: Number(values.rounds),
  hosts: Number(values.hosts),
  processes: Number(values.processes),
  cutMs: Number(values.cut) * 1000,
  log: console.log,
  ...(values.minutes !== undefined && { minutes: Number(values.minutes) }),
  ...(values.only !== undefined && { only: values.only }),
});
process.exit(isGood ? 0 : 1);
