import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBench } from "@agent-auth/tools/bench";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as ManagedRuntime from "effect/ManagedRuntime";
import { AuthManager, layer } from "../src/manager/index.ts";
import { loadConfig } from "../src/config/index.ts";
import { parseEnvironment } from "../src/config/environment.ts";

const home = mkdtempSync(join(tmpdir(), "agent-auth-bench-"));
const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString("base64url");
const jwt = `${part({ alg: "RS256" })}.${part({ exp: 4_000_000_000, email: "ada@example.test" })}.c2ln`;
const tokens = { id_token: jwt, access_token: jwt, refresh_token: "rt", account_id: "acct-1" };
writeFileSync(join(home, "auth.json"), JSON.stringify({ auth_mode: "chatgpt", tokens }));

const environment = parseEnvironment({ CODEX_HOME: home }, { homeDir: home });
const config = await Effect.runPromise(loadConfig({ codexHome: environment.codexHome }));
const runtime = ManagedRuntime.make(layer({ environment, config, environmentCredentials: true }));
const manager = await runtime.runPromise(AuthManager);

const calls = 1_000;
const tight = Effect.gen(function* () {
  for (let call = 0; call < calls; call++) yield* manager.current;
});
const microsecond = 0.001;
const bench = makeBench("login: current credential of a warm manager");
await bench.time("snapshot()", () => manager.snapshot(), microsecond);
await bench.time(
  `current, inside a running Effect (${calls} calls in one)`,
  () => Exit.isSuccess(Effect.runSyncExit(tight)),
  microsecond * calls,
);
await bench.time("current, run on its own", () => Effect.runSync(manager.current), microsecond);
await runtime.dispose();
rmSync(home, { recursive: true });
bench.report();
