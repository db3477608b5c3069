import { describe, expect, it } from "vitest";
import { startTestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { AuthDocument } from "../src/storage/auth-json/index.ts";
import { layer } from "../src/storage/configured.ts";
import { CredentialStore } from "../src/storage/index.ts";
import type { CodexHome } from "../src/config/environment.ts";
import { missingCodex, runCodex } from "./support/codex.ts";
import { temporaryHome } from "./support/home.ts";
import type { HomeLockHeld } from "../src/storage/lock/index.ts";
import { locked } from "./support/lock.ts";

if (missingCodex !== undefined) console.warn(`skipped: ${missingCodex}`);

const withStore = <A, E>(
  codexHome: CodexHome,
  work: (store: CredentialStore["Service"]) => Effect.Effect<A, E, HomeLockHeld>,
): Promise<A> =>
  Effect.runPromise(
    Effect.provide(locked(CredentialStore.use(work)), layer({ mode: "file", codexHome })),
  );

const apiKey = (key: string): AuthDocument => ({
  authMode: "apikey",
  openaiApiKey: Redacted.make(key),
});

describe.skipIf(missingCodex !== undefined)("the real Codex and our file store", () => {
  it("read each other's API keys, and Codex removes ours", async () => {
    const home = temporaryHome();
    await runCodex(home, ["login", "--with-api-key"], "sk-proj-written-by-codex-11111\n");
    const found = await withStore(home, (store) => store.load);
    const { document } = Option.getOrThrow(found);
    expect(document.authMode).toBe("apikey");
    expect(document.openaiApiKey && Redacted.value(document.openaiApiKey)).toBe(
      "sk-proj-written-by-codex-11111",
    );

    await withStore(home, (store) => store.save(apiKey("sk-proj-written-by-us-22222")));
    const status = await runCodex(home, ["login", "status"]);
    expect(status.stderr).toContain("sk-proj-***22222");
    await runCodex(home, ["logout"]);
    expect(existsSync(join(home.path, "auth.json"))).toBe(false);
  });

  it("Codex takes ChatGPT tokens that we wrote", async () => {
    await using authority = await startTestAuthority();
    const tokens = await authority.mintChatgptTokens();
    const home = temporaryHome();
    await withStore(home, (store) =>
      store.save({
        authMode: "chatgpt",
        tokens: {
          idToken: Redacted.make(tokens.idToken),
          accessToken: Redacted.make(tokens.accessToken),
          refreshToken: Redacted.make(tokens.refreshToken),
          accountId: "acc-1",
        },
        lastRefresh: new Date().toISOString(),
      }),
    );
    const status = await runCodex(home, ["login", "status"]);
    expect(status.stderr).toContain("Logged in using ChatGPT");
    expect(status.status).toBe(0);
  });
});
