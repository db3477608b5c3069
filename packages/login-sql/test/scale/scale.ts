// `npm run scale -w @agent-auth/login-sql [-- --pods 40 --seconds 90]`: managers that share a sign-in in a private Postgres,
// each with its own connections, as pods have. Counts their requests to the database and to the authority while nothing
// happens and when a token is due, and prints what 1,000 pods need in an hour.
import { parseArgs } from "node:util";
import { setTimeout } from "node:timers/promises";
import { createAuthManager } from "@agent-auth/login/promises";
import { startTestAuthority } from "@agent-auth/test-authority";
import { missingPostgres, startPostgres } from "@agent-auth/tools/postgres";
import * as Redacted from "effect/Redacted";
import { generateStoreKey, openSqlStore } from "../../src/promises/index.ts";

const { values } = parseArgs({
  options: {
    pods: { type: "string", default: "40" },
    seconds: { type: "string", default: "90" },
  },
});
const [pods, seconds] = [Number(values.pods), Number(values.seconds)];
if (missingPostgres !== undefined) {
  console.error(missingPostgres);
  process.exit(1);
}
process.once("SIGINT", () => process.exit(130));

/** Access tokens live for an hour, and are replaced ten minutes before they expire. */
const REFRESHES_PER_HOUR = 60 / 50;

await using postgres = await startPostgres({ settings: [`max_connections = ${3 * pods + 20}`] });
const keys = { _tag: "Text", keys: Redacted.make(generateStoreKey("k1")) } as const;
const count = (sql: string) => Number(postgres.sql(sql));
const statements = () =>
  count("SELECT sum(xact_commit) FROM pg_stat_database WHERE datname = 'postgres'");
const connections = () =>
  count("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'agent-auth%'");
/** The server's statistics lag by up to a second; each question is a statement as well. */
const settled = async () => {
  await setTimeout(2_500);
  return statements();
};

const rows: Array<ReadonlyArray<string>> = [];
for (const notify of ["listen", "poll"] as const) {
  await using authority = await startTestAuthority();
  const open = () => {
    const url = `${postgres.url()}?sign_in=${notify}&notify=${notify}`;
    // Generous: the managers and the server share the processors of one machine.
    const store = openSqlStore(url, { keys, statementTimeoutMs: 60_000 });
    return createAuthManager({
      storage: store.storage,
      environmentCredentials: false,
      followStore: true,
      variables: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.issuer}/oauth/token` },
      configOverrides: [`chatgpt_base_url="${authority.chatgptBaseUrl}"`],
    });
  };
  const managers = Array.from({ length: pods }, open);
  const [first] = managers;
  await first?.loginWithChatgptTokens(
    await authority.mintChatgptTokens({ expiresInSeconds: 3600 }),
  );
  await Promise.all(managers.map((manager) => manager.reload()));
  await setTimeout(15_000); // connections that are not needed any more are closed
  const idleFrom = await settled();
  await setTimeout(seconds * 1_000);
  const idle = (await settled()) - idleFrom - 1;
  const open1 = connections();

  const due = await authority.mintChatgptTokens({ expiresInSeconds: 20 });
  await first?.loginWithChatgptTokens(due);
  await Promise.all(managers.map((manager) => manager.reload()));
  const dueFrom = await settled();
  const startedMs = performance.now();
  await Promise.all(managers.map((manager) => manager.current()));
  const tookMs = performance.now() - startedMs;
  const refresh = (await settled()) - dueFrom - 1;
  const idlePerHour = (idle / pods / (seconds + 2.5)) * 3_600;
  const perRefresh = refresh / pods;
  rows.push([
    notify,
    idlePerHour.toFixed(0),
    perRefresh.toFixed(1),
    (1_000 * (idlePerHour + REFRESHES_PER_HOUR * perRefresh)).toFixed(0),
    (open1 / pods).toFixed(1),
    String(authority.count("refresh")),
    `${(tookMs / 1000).toFixed(1)} s`,
  ]);
  await Promise.all(managers.map((manager) => manager.close()));
}
const head = [
  "notify",
  "transactions per idle pod and hour",
  "transactions per pod and refresh",
  "transactions per 1,000 pods and hour",
  "connections per idle pod",
  "refreshes",
  `until ${pods} pods had the pair`,
];
for (const row of [head, head.map(() => "---"), ...rows]) console.log(`| ${row.join(" | ")} |`);
process.exit();
