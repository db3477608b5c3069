import { createAuthManager, revealSecret } from "@agent-auth/login/promises";
import { startTestAuthority } from "@agent-auth/test-authority";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openSqlStore } from "../src/promises/index.ts";
import { keys } from "./support/databases.ts";

const folder = mkdtempSync(join(tmpdir(), "login-sql-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("openSqlStore", () => {
  it("gives managers of several programs the same sign-in", async () => {
    await using store = openSqlStore(`sqlite:${join(folder, "a.db")}`, { keys });
    const options = { storage: store.storage, environmentCredentials: false, variables: {} };
    const open = () => createAuthManager(options);
    await using one = open();
    await using other = open();
    expect(await other.current()).toBeNull();
    await one.loginWithApiKey("sk-1");
    const found = await other.reload();
    expect(found?._tag === "ApiKey" && revealSecret(found.apiKey)).toBe("sk-1");
    expect(found?.source).toEqual({
      _tag: "Store",
      name: "sqlite",
      where: join(folder, "a.db"),
    });
    await one.loginWithApiKey("sk-2");
    expect(await store.previous()).toMatchObject({ authMode: "apikey" });
    expect(await store.reencrypt()).toBe(false);
  });

  it("spends a refresh token once for managers that ask at the same time", async () => {
    await using authority = await startTestAuthority();
    const tokens = await authority.mintChatgptTokens({ expiresInSeconds: -60 });
    await using store = openSqlStore(`sqlite:${join(folder, "b.db")}`, { keys, pollMs: 100 });
    const variables = { CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.issuer}/oauth/token` };
    const options = {
      storage: store.storage,
      environmentCredentials: false,
      variables,
      configOverrides: [`chatgpt_base_url="${authority.chatgptBaseUrl}"`],
    };
    const open = () => createAuthManager(options);
    await using first = open();
    await first.loginWithChatgptTokens(tokens);
    const managers = Array.from({ length: 5 }, open);
    const found = await Promise.all(managers.map((manager) => manager.current()));
    const secrets = found.map((it) => it?._tag === "Chatgpt" && revealSecret(it.accessToken));
    expect(new Set(secrets).size).toBe(1);
    expect(authority.count("refresh")).toBe(1);
    await Promise.all(managers.map((manager) => manager.close()));
  });

  it("throws if there are no keys", () => {
    expect(() => openSqlStore("sqlite:/tmp/x", { keys: undefined })).toThrow(
      "the key source of the store is not usable: there are none",
    );
  });
});
