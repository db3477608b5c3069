import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createAuthManager } from "@agent-auth/login/promises";
import { type Authority, makeHome } from "../support.ts";

/** A manager keeps a sign-in in auth.json, another one notices it, refreshes expired tokens, and signs out. */
export default async (authority: Authority): Promise<void> => {
  await using home = await makeHome(authority);
  const file = join(home.path, "auth.json");
  const options = { environmentCredentials: false, variables: home.variables };
  await using manager = createAuthManager(options);
  await using follower = createAuthManager({ ...options, followStore: true });
  assert.equal(await follower.current(), null);
  const noticed = new Promise<string | undefined>((resolve) =>
    follower.subscribe((credential) => resolve(credential?._tag)),
  );
  await manager.loginWithApiKey("sk-example");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(await noticed, "ApiKey");

  const before = await authority.call("count", "refresh");
  const expired = await authority.call("mintChatgptTokens", { expiresInSeconds: -60 });
  await home.signIn(expired);
  const credential = await manager.reload();
  assert.equal(credential?._tag, "Chatgpt");
  assert.equal((await manager.current())?._tag, "Chatgpt");
  assert.equal(await authority.call("count", "refresh"), before + 1);
  assert.ok(!(await readFile(file, "utf8")).includes(expired.refreshToken));
  assert.deepEqual(await manager.logout(), { removed: true, revoked: "revoked" });
  assert.ok(!existsSync(file));
};
