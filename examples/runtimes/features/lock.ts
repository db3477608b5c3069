import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createAuthManager } from "@agent-auth/login/promises";
import { loadEnvironment } from "@agent-auth/login/config/environment";
import { HomeLock, layer } from "@agent-auth/login/storage/lock";
import * as Effect from "effect/Effect";
import { type Authority, makeHome, runtimeArguments } from "../support.ts";

/** Two processes whose tokens have expired spend the refresh token once, and end up with the same tokens. Codex is excluded. */
export default async (authority: Authority): Promise<void> => {
  await using home = await makeHome(authority);
  await home.signIn(await authority.call("mintChatgptTokens", { expiresInSeconds: -60 }));
  const before = await authority.call("count", "refresh");
  await authority.call("behave", "refresh", { delayMs: 300 }, { times: 1 });
  const program = join(import.meta.dirname, "../refresh.ts");
  const child = spawn(process.execPath, runtimeArguments(program), {
    env: { ...process.env, ...home.variables },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, "ready");
  await using manager = createAuthManager({
    environmentCredentials: false,
    loadAtStart: false,
    variables: home.variables,
  });
  child.stdin.end();
  const [credential, shown] = await Promise.all([manager.current(), lines.next()]);
  assert.equal(credential?._tag, "Chatgpt");
  assert.equal(shown.value, String(credential.expiresAtMs));
  assert.equal(await authority.call("count", "refresh"), before + 1);
  const lock = HomeLock.use((lock) => lock.tryLock).pipe(
    Effect.provide(layer(loadEnvironment(home.variables))),
  );
  assert.deepEqual(await Effect.runPromise(lock), { _tag: "Free", excludesCodex: true });
};
