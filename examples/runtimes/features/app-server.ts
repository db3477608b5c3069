import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import {
  type AppServerClient,
  connectStdio,
  connectWebSocket,
  createAppServerClient,
} from "@agent-auth/app-server/client";
import { handleAccountMethods } from "@agent-auth/app-server/methods";
import { openAccountService, startWebSocketListener } from "@agent-auth/app-server/promises";
import { importUndici } from "@agent-auth/agent-identity/http/undici";
import { type Authority, makeHome, runtimeArguments } from "../support.ts";

const clientInfo = { name: "runtimes", version: "1.0.0" };

/** Serves account methods over stdio and WebSockets; a client without the token is rejected. */
export default async (authority: Authority): Promise<void> => {
  await using home = await makeHome(authority);
  const program = join(import.meta.dirname, "../stdio-server.ts");
  const server = spawn(process.execPath, runtimeArguments(program), {
    env: { ...process.env, ...home.variables },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => server.once("exit", resolve));
  await signInWithApiKey(createAppServerClient(connectStdio(server)));
  assert.equal(await exited, 0);

  await using service = await openAccountService({ variables: home.variables });
  await using listener = await startWebSocketListener({
    open: (client) => handleAccountMethods(service, client),
    host: "127.0.0.1",
    port: 0,
    auth: { _tag: "CapabilityToken", sha256: createHash("sha256").update("secret").digest() },
  });
  const { WebSocket } = await importUndici();
  const connect = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    const socket = new WebSocket(`ws://${listener.address}`, { headers });
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error("not opened")));
    });
    return createAppServerClient(connectWebSocket(socket));
  };
  await assert.rejects(connect("wrong"), /not opened/);
  await signInWithApiKey(await connect("secret"));
};

const signInWithApiKey = async (client: AppServerClient): Promise<void> => {
  await client.initialize({ clientInfo });
  const updated = new Promise((resolve) => client.on("account/updated", resolve));
  await client.call("account/login/start", { type: "apiKey", apiKey: "sk-example" });
  await updated;
  assert.equal((await client.call("account/read", {})).account?.type, "apiKey");
  await client.call("account/logout", {});
  await client.close();
};
