import { spawn } from "node:child_process";
import { once } from "node:events";
import { connectStdio, createAppServerClient } from "@agent-auth/app-server/client";
import { lendSignIn } from "@agent-auth/app-server/host";
import { createAuthManager } from "@agent-auth/login/promises";

// Usage: node lend-sign-in.ts codex app-server
const [command = "codex", ...args] = process.argv.slice(2);

// The refresh token stays here. One manager may lend to any number of servers.
await using manager = createAuthManager({
  environmentCredentials: false,
  followStore: true,
  keepFresh: true,
});

const server = spawn(command, args, {
  stdio: ["pipe", "pipe", "inherit"],
  // A separate home, so that the server has no sign-in beside the one that it is lent.
  env: { ...process.env, CODEX_HOME: process.env["SERVER_HOME"] },
});
await once(server, "spawn"); // rejects if there is no such command
await using client = createAppServerClient(connectStdio(server));
await client.initialize({
  clientInfo: { name: "lend-sign-in", version: "1.0.0" },
  capabilities: { experimentalApi: true },
});
await using lent = await lendSignIn(client, manager);

const { account, accountUnavailable } = await client.call("account/read", {});
if (account?.type === "chatgpt") console.log(`lent to ${account.email}`);
else console.log(`the server has no account: ${accountUnavailable?.message ?? "no reason given"}`);
// From here on, start threads and turns with client.request("thread/start", …).
await lent.close();
