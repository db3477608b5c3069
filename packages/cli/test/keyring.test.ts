import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { type Desktop, missingKeyring, startDesktop } from "@agent-auth/tools/desktop";
import { AsyncEntry } from "@napi-rs/keyring";
import { createHash } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { CliHome } from "./support/cli.ts";
import { RunningProxy } from "./support/proxy.ts";

if (missingKeyring !== undefined) console.warn(`skipped: ${missingKeyring}`);

let authority: TestAuthority;
let desktop: Desktop;
beforeAll(async () => {
  authority = await startTestAuthority();
  if (missingKeyring === undefined) desktop = await startDesktop();
});
afterAll(async () => {
  await desktop?.[Symbol.asyncDispose]();
  await authority.close();
});

type Mode = "keyring" | "auto";

const keyOne = "sk-proj-one-0123456789";
const keyTwo = "sk-proj-two-0123456789";

const makeHome = async (mode: Mode, provider = authority) => {
  const home = await CliHome.make(
    `cli_auth_credentials_store = "${mode}"
chatgpt_base_url = "${provider.chatgptBaseUrl}"
openai_base_url = "${provider.openaiBaseUrl}"
`,
  );
  const run = (args: readonly string[], stdin = "") => home.run(args, { stdin, env: desktop.env });
  /** Runs a command that has to succeed. */
  const done = async (args: readonly string[], stdin = "") => {
    const result = await run(args, stdin);
    expect([args, result.exitCode, result.stderr]).toEqual([args, 0, expect.any(String)]);
    expect(result.stderr).not.toContain("warning");
    return result;
  };
  return {
    home,
    run,
    done,
    [Symbol.asyncDispose]: async () => {
      for (const name of [undefined, "a", "b", "one", "two"]) {
        await entryOf(home, name)
          .deleteCredential()
          .catch(() => false);
      }
      await home[Symbol.asyncDispose]();
    },
  };
};

/** The entry of a home or of an account that is kept in it: named apart from the code under test. */
const entryOf = (home: CliHome, account?: string) => {
  const folder = realpathSync(home.path);
  const path = account === undefined ? folder : join(folder, "accounts", account);
  const digits = createHash("sha256").update(path).digest("hex").slice(0, 16);
  return new AsyncEntry("Codex Auth", `cli|${digits}`, { linux: { store: "secret-service" } });
};

/** A ChatGPT sign-in of a new account, as a keyring holds it. */
const chatgptEntry = async (email: string, expiresInSeconds = 3600) => {
  const account = authority.createAccount({ email });
  const tokens = await authority.mintChatgptTokens({ account, expiresInSeconds });
  return JSON.stringify(chatgptSignIn(authority, tokens));
};

const filesIn = async (home: CliHome) =>
  (await readdir(home.path, { recursive: true })).filter((path) => path.endsWith("auth.json"));

describe.skipIf(missingKeyring !== undefined).each<Mode>(["keyring", "auto"])(
  "accounts, store %s",
  (mode) => {
    it("keeps, lists and switches accounts, and writes no secret to disk", async () => {
      await using it = await makeHome(mode);
      const { done, home } = it;
      const person = await chatgptEntry("person@example.com");
      await entryOf(home).setPassword(person);
      await done(["accounts", "add", "a", "--current"]);
      const robot = await authority.mintAgentIdentityJwt();
      await done(["accounts", "add", "b", "--with-agent-identity"], robot);
      expect(await entryOf(home).getPassword()).toBe(person);

      const revoked = authority.count("revoke");
      await done(["accounts", "use", "b"]);
      const status = await done(["login", "status", "--json"]);
      expect(JSON.parse(status.stdout)).toMatchObject({
        method: "agentIdentity",
        source: { kind: "keyring" },
      });
      const list = await done(["accounts", "list", "--json"]);
      expect(JSON.parse(list.stdout)).toMatchObject({
        accounts: [
          { name: "a", isCurrent: false, method: "chatgpt", email: "person@example.com" },
          { name: "b", isCurrent: true, method: "agentIdentity" },
        ],
      });
      await done(["accounts", "use", "a"]);
      expect(await entryOf(home).getPassword()).toBe(person);
      expect(await filesIn(home)).toEqual([]);
      expect(authority.count("revoke")).toBe(revoked);
    });

    it("writes refreshed tokens back to the account that they belong to", async () => {
      await using it = await makeHome(mode);
      const { done, home } = it;
      await entryOf(home).setPassword(await chatgptEntry("refreshed@example.com", 60));
      const before = await entryOf(home).getPassword();
      await done(["accounts", "add", "a", "--current"]);
      await done(["accounts", "add", "b", "--with-api-key"], keyOne);
      await done(["token"]);
      const refreshed = await entryOf(home).getPassword();
      expect(refreshed).not.toBe(before);
      await done(["accounts", "use", "b"]);
      expect(await entryOf(home, "a").getPassword()).toBe(refreshed);
      await done(["accounts", "use", "a"]);
      expect(await entryOf(home).getPassword()).toBe(refreshed);
      expect(JSON.parse(refreshed ?? "")).toMatchObject({ future: { kept: true } });
    });

    it("loses the current sign-in neither in a switch nor in a sign-in", async () => {
      await using it = await makeHome(mode);
      const { done, run, home } = it;
      await done(["accounts", "add", "b", "--with-api-key"], keyOne);
      const person = await chatgptEntry("precious@example.com");
      await entryOf(home).setPassword(person);
      const unkept = await run(["accounts", "use", "b"]);
      expect(unkept.stderr).toContain("not kept under any name and would be lost");
      await done(["accounts", "add", "a", "--current"]);
      const over = await run(["login", "--with-api-key"], keyTwo);
      expect(over.stderr).toContain("the current sign-in is kept as a");
      expect([unkept.exitCode, over.exitCode]).toEqual([1, 1]);
      expect(await entryOf(home).getPassword()).toBe(person);
    });

    it("removes an account, its entry and its folder, and revokes its tokens", async () => {
      await using it = await makeHome(mode);
      const { done, run, home } = it;
      await entryOf(home).setPassword(await chatgptEntry("gone@example.com"));
      await done(["accounts", "add", "a", "--current"]);
      const refused = await run(["accounts", "remove", "a"]);
      expect(refused.stderr).toContain("a is the current sign-in");
      await done(["accounts", "add", "b", "--with-api-key"], keyOne);
      await done(["accounts", "use", "b"]);
      const revoked = authority.count("revoke");
      await done(["accounts", "remove", "a"]);
      expect(authority.count("revoke")).toBe(revoked + 1);
      expect(await entryOf(home, "a").getPassword()).toBeNull();
      expect(await readdir(join(home.path, "accounts"))).toEqual(["b"]);
    });

    it("forgets the kept copy of a sign-in that is signed out", async () => {
      await using it = await makeHome(mode);
      const { done, home } = it;
      await entryOf(home).setPassword(await chatgptEntry("out@example.com"));
      await done(["accounts", "add", "a", "--current"]);
      const { stderr } = await done(["logout"]);
      expect(stderr).toContain("Successfully logged out\nRemoved a from the kept accounts\n");
      expect(await entryOf(home).getPassword()).toBeNull();
      expect(await entryOf(home, "a").getPassword()).toBeNull();
      expect(await readdir(join(home.path, "accounts"))).toEqual([]);
    });

    it("leaves nothing behind if the sign-in failed", async () => {
      await using it = await makeHome(mode);
      const failed = await it.run(["accounts", "add", "a", "--with-agent-identity"], "no jwt");
      expect(failed.exitCode).toBe(1);
      expect(await readdir(join(it.home.path, "accounts"))).toEqual([]);
    });

    it("marks an entry that cannot be read, and removes it by its name", async () => {
      await using it = await makeHome(mode);
      const { done, home } = it;
      await done(["accounts", "add", "a", "--with-api-key"], keyOne);
      await entryOf(home, "a").setPassword("canary");
      const { stdout } = await done(["accounts", "list"]);
      expect(stdout).toMatch(/^! a cannot be read: /u);
      expect(stdout).not.toContain("canary");
      await done(["accounts", "remove", "a"]);
      expect(await entryOf(home, "a").getPassword()).toBeNull();
      expect(await readdir(join(home.path, "accounts"))).toEqual([]);
    });
  },
);

// At the same time, since they wait: a proxy reads the keyring every five seconds.
describe.skipIf(missingKeyring !== undefined)("a proxy that runs", () => {
  it.concurrent.each<Mode>(["keyring", "auto"])(
    "follows a switch, a sign-out and a sign-in, store %s",
    async (mode) => {
      await using provider = await startTestAuthority();
      await using it = await makeHome(mode, provider);
      const { done, home } = it;
      await done(["login", "--with-api-key"], keyOne);
      await done(["accounts", "add", "one", "--current"]);
      await done(["accounts", "add", "two", "--with-api-key"], keyTwo);
      await using proxy = await RunningProxy.start(home, [], desktop.env);
      expect(await speaksFor(proxy, provider)).toBe(`Bearer ${keyOne}`);
      await done(["accounts", "use", "two"]);
      await soonSpeaksFor(proxy, provider, `Bearer ${keyTwo}`);
      await done(["logout"]);
      await soonSpeaksFor(proxy, provider, undefined);
      await done(["login", "--with-api-key"], keyOne);
      await soonSpeaksFor(proxy, provider, `Bearer ${keyOne}`);
      expect(existsSync(home.authFile)).toBe(false);
    },
  );
});

/** Sends one request and returns its credential, or `undefined` if none arrived. The authority knows neither key. */
const speaksFor = async (proxy: RunningProxy, provider: TestAuthority) => {
  const before = provider.count("models");
  const answer = await request(`${proxy.baseUrl}/models`);
  await answer.body.dump();
  return provider.requestsTo("models").at(before)?.headers.authorization;
};

const soon = { timeout: 8000, interval: 200 };

const soonSpeaksFor = (
  proxy: RunningProxy,
  provider: TestAuthority,
  expected: string | undefined,
) => vi.waitFor(async () => expect(await speaksFor(proxy, provider)).toBe(expected), soon);

// Last, since the keyring of this file's desktop dies in it.
describe.skipIf(missingKeyring !== undefined)("when the keyring stops", () => {
  it("accounts report it and lose nothing, and a proxy keeps its credential", async () => {
    await using it = await makeHome("keyring");
    const { done, run, home } = it;
    await done(["login", "--with-api-key"], keyOne);
    await done(["accounts", "add", "one", "--current"]);
    await done(["accounts", "add", "two", "--with-api-key"], keyTwo);
    await using proxy = await RunningProxy.start(home, [], desktop.env);
    await using auto = await makeHome("auto");
    await auto.done(["accounts", "add", "one", "--with-api-key"], keyOne);

    // The bus starts another keyring, which stays locked.
    desktop.killKeyring();
    await vi.waitFor(async () => {
      expect(await speaksFor(proxy, authority)).toBe(`Bearer ${keyOne}`);
      expect(proxy.log).toContainEqual(
        expect.stringMatching(/^warning: OS keyring .*\(LOGIN_KEYRING_UNAVAILABLE\)$/u),
      );
    }, soon);

    for (const args of [
      ["accounts", "use", "two"],
      ["accounts", "add", "three", "--with-api-key"],
      ["accounts", "add", "three", "--current"],
      ["accounts", "remove", "two"],
      ["accounts", "list"],
    ]) {
      const result = await run(args, "sk-three");
      expect([args, result.exitCode]).toEqual([args, 1]);
      expect(result.stderr).toMatch(/^Error .*OS keyring is not available/mu);
    }

    const unknown = await auto.run(["accounts", "use", "one"]);
    expect(unknown.stderr).toMatch(
      /^warning: OS keyring is not available .*\nError switching accounts: no account is kept as one\. .*\n$/u,
    );
    expect(unknown.exitCode).toBe(1);

    desktop.unlockKeyring();
    expect((await auto.done(["accounts", "list"])).stdout).toMatch(/^ {2}one apiKey /u);
    const { stdout } = await done(["accounts", "list"]);
    expect(stdout).toBe("* one apiKey  sk-proj-***56789\n  two apiKey  sk-proj-***56789\n");
    await done(["accounts", "use", "two"]);
  });
});
