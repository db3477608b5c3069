import assert from "node:assert/strict";
import { join } from "node:path";
import { generateStoreKey, openSqlStore } from "@agent-auth/login-sql/promises";
import { createAuthManager, revealSecret } from "@agent-auth/login/promises";
import * as Redacted from "effect/Redacted";
import { type Authority, makeHome } from "../support.ts";

/** Two managers store sign-ins at the same time in one encrypted SQLite database, and then have the same. */
export default async (authority: Authority): Promise<void> => {
  await using home = await makeHome(authority);
  const keys = { _tag: "Text", keys: Redacted.make(generateStoreKey("k1")) } as const;
  const url = `sqlite:${join(home.path, "sign-in.db")}`;
  await using first = openSqlStore(url, { keys });
  await using second = openSqlStore(url, { keys });
  const options = { environmentCredentials: false, variables: home.variables };
  await using manager = createAuthManager({ ...options, storage: first.storage });
  await using other = createAuthManager({ ...options, storage: second.storage });
  await Promise.all([manager.loginWithApiKey("sk-one"), other.loginWithApiKey("sk-two")]);
  const [one, two] = [await manager.reload(), await other.reload()];
  assert.ok(one?._tag === "ApiKey" && two?._tag === "ApiKey");
  assert.equal(revealSecret(one.apiKey), revealSecret(two.apiKey));
  assert.equal((await manager.logout()).removed, true);
  assert.equal(await other.reload(), null);
};
