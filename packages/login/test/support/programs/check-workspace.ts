// Waits for a line on stdin, then asks for policy and routing of the workspace in argv: CODEX_HOME, backend, token, account.
import { once } from "node:events";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { loadConfig } from "../../../src/config/index.ts";
import { parseEnvironment } from "../../../src/config/environment.ts";
import { layer } from "../../../src/http/index.ts";
import { makeWorkspaceChecks } from "../../../src/workspace/index.ts";

const [home = "", backend = "", token = "", accountId = ""] = process.argv.slice(2);
const codexHome = { path: home, explicit: false };
const config = await Effect.runPromise(
  loadConfig({
    codexHome,
    systemFolder: "/nonexistent",
    overrides: [`chatgpt_base_url=${backend}`],
  }),
);
const check = makeWorkspaceChecks({ codexHome, config }).check({
  _tag: "ExternalChatgpt",
  accessToken: Redacted.make(token),
  account: { accountId, userId: "user-1", planType: "enterprise", isFedrampAccount: false },
  source: { _tag: "Ephemeral" },
});
console.log("ready");
await once(process.stdin, "data");
process.stdin.destroy();
const access = await Effect.runPromise(
  Effect.provide(check, layer(parseEnvironment({ CODEX_HOME: home }))),
);
console.log(access.name ?? access.origin ?? "no routing");
