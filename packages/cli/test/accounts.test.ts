import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { chown, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { CliHome } from "./support/cli.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority();
});
afterAll(() => authority.close());

const codexHome = () =>
  CliHome.make(
    `chatgpt_base_url = "${authority.chatgptBaseUrl}"\nopenai_base_url = "${authority.openaiBaseUrl}"\n`,
  );

/** The current sign-in becomes a ChatGPT one of a new account. */
const signInAs = async (home: CliHome, email: string, expiresInSeconds = 3600) => {
  const account = authority.createAccount({ email });
  const tokens = await authority.mintChatgptTokens({ account, expiresInSeconds });
  await home.writeAuth(chatgptSignIn(authority, tokens));
  return account;
};

const done = async (home: CliHome, args: readonly string[], stdin = "") => {
  const result = await home.run(args, { stdin });
  expect(result.stderr + result.stdout).not.toContain("Error");
  expect(result.exitCode).toBe(0);
  return result;
};

/** A kept ChatGPT sign-in that is the present one, and a broken account before it in the alphabet. */
const withBroken = async () => {
  const home = await codexHome();
  await signInAs(home, "kept@example.com");
  await done(home, ["accounts", "add", "work", "--current"]);
  await mkdir(join(home.path, "accounts/aaa"));
  await writeFile(join(home.path, "accounts/aaa/auth.json"), "{broken");
  return home;
};

describe("agent-auth accounts use, of a file that cannot be read", () => {
  it("names the command that removes that account, and leaves the current sign-in alone", async () => {
    await using home = await codexHome();
    await home.writeAuth({ OPENAI_API_KEY: "sk-present" });
    const present = await home.readAuth();
    await mkdir(join(home.path, "accounts", "work"), { recursive: true });
    await writeFile(join(home.path, "accounts", "work", "auth.json"), "{broken");
    const { exitCode, stderr } = await home.run(["accounts", "use", "work"]);
    expect(stderr).toMatch(/, or remove that account\. Run: agent-auth accounts remove work\n$/u);
    expect([exitCode, await home.readAuth()]).toEqual([1, present]);
  });
});

describe("accounts", () => {
  it("switches between sign-ins and back, and revokes nothing", async () => {
    await using home = await codexHome();
    await signInAs(home, "work@example.com");
    const work = await home.readAuth();
    await done(home, ["accounts", "add", "work", "--current"]);
    const robot = await authority.mintAgentIdentityJwt();
    await done(home, ["accounts", "add", "robot", "--with-agent-identity"], robot);
    expect(await home.readAuth()).toBe(work);

    await done(home, ["accounts", "use", "robot"]);
    const status = await home.run(["login", "status"]);
    expect(status.stderr).toContain("Logged in using access token");
    expect(JSON.parse((await home.readAuth()) ?? "")).toMatchObject({ agent_identity: robot });

    await done(home, ["accounts", "use", "work"]);
    expect(await home.readAuth()).toBe(work);
    expect(authority.count("revoke")).toBe(0);
  });

  it("writes refreshed tokens back to the account that they belong to", async () => {
    await using home = await codexHome();
    await signInAs(home, "refreshed@example.com", 60);
    const before = (await home.readAuth()) ?? "";
    await done(home, ["accounts", "add", "mine", "--current"]);
    await done(home, ["accounts", "add", "key", "--with-api-key"], "sk-other");
    await done(home, ["token"]);
    const refreshed = (await home.readAuth()) ?? "";
    expect(refreshed).not.toBe(before);
    await done(home, ["accounts", "use", "key"]);
    expect(await readFile(join(home.path, "accounts/mine/auth.json"), "utf8")).toBe(refreshed);
    await done(home, ["accounts", "use", "mine"]);
    expect(await home.readAuth()).toBe(refreshed);
    expect(JSON.parse(refreshed)).toMatchObject({ future: { kept: true } });
  });

  it("lists the kept accounts, the current one marked, without secrets", async () => {
    await using home = await codexHome();
    const account = await signInAs(home, "list@example.com");
    await done(home, ["accounts", "add", "a", "--current"]);
    await done(home, ["accounts", "add", "b", "--with-api-key"], "sk-proj-1234567890ABCDE");
    const { stdout } = await done(home, ["accounts", "list"]);
    expect(stdout).toBe(
      `* a chatgpt  list@example.com  ${account.accountId}  ${account.planType}\n  b apiKey   sk-proj-***ABCDE\n`,
    );
    const json = await done(home, ["accounts", "list", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual({
      accounts: [
        {
          name: "a",
          isCurrent: true,
          method: "chatgpt",
          email: "list@example.com",
          accountId: account.accountId,
          plan: account.planType,
          apiKey: null,
          error: null,
        },
        {
          name: "b",
          isCurrent: false,
          method: "apiKey",
          email: null,
          accountId: null,
          plan: null,
          apiKey: "sk-proj-***ABCDE",
          error: null,
        },
      ],
    });
  });

  it("changes nothing if the current sign-in would be lost", async () => {
    await using home = await codexHome();
    await done(home, ["accounts", "add", "key", "--with-api-key"], "sk-other");
    await signInAs(home, "unkept@example.com");
    const before = await home.readAuth();
    const result = await home.run(["accounts", "use", "key"]);
    expect(result.stderr).toBe(
      "Error switching accounts: the current sign-in is not kept under any name and would be lost. Run: agent-auth accounts add NAME --current\n",
    );
    expect(result.exitCode).toBe(1);
    expect(await home.readAuth()).toBe(before);
  });

  it("does not let a sign-in revoke the tokens of a kept account", async () => {
    await using home = await codexHome();
    await signInAs(home, "safe@example.com");
    await done(home, ["accounts", "add", "safe", "--current"]);
    const before = await home.readAuth();
    const result = await home.run(["login", "--with-api-key"], { stdin: "sk-new" });
    expect(result.stderr).toContain("the current sign-in is kept as safe");
    expect(result.stderr).toContain("agent-auth accounts add NAME");
    expect(result.exitCode).toBe(1);
    expect(await home.readAuth()).toBe(before);
  });

  it("removes an account and revokes its tokens, but not the current one", async () => {
    await using home = await codexHome();
    await signInAs(home, "gone@example.com");
    await done(home, ["accounts", "add", "gone", "--current"]);
    const refused = await home.run(["accounts", "remove", "gone"]);
    expect(refused.stderr).toContain("gone is the current sign-in");
    expect(refused.exitCode).toBe(1);
    await done(home, ["accounts", "add", "key", "--with-api-key"], "sk-other");
    await done(home, ["accounts", "use", "key"]);
    const revoked = authority.count("revoke");
    await done(home, ["accounts", "remove", "gone"]);
    expect(authority.count("revoke")).toBe(revoked + 1);
    const { stdout } = await done(home, ["accounts", "list"]);
    expect(stdout).toBe("* key apiKey  ***\n");
  });

  it("warns once that tokens could not be revoked, and removes them all the same", async () => {
    await using home = await codexHome();
    await signInAs(home, "unrevoked@example.com");
    authority.behave("revoke", { status: 500 }, { times: 1 });
    const { stderr } = await done(home, ["logout"]);
    expect(stderr.split("\n").toSorted()).toEqual([
      "",
      "Successfully logged out",
      "warning: the sign-in could not be revoked at the authority: status 500",
    ]);
    expect(await home.readAuth()).toBeNull();
  });

  it("forgets the kept copy of a sign-in that is signed out", async () => {
    await using home = await codexHome();
    await signInAs(home, "out@example.com");
    await done(home, ["accounts", "add", "out", "--current"]);
    const { stderr } = await done(home, ["logout"]);
    expect(stderr).toContain("Successfully logged out\nRemoved out from the kept accounts\n");
    const list = await home.run(["accounts", "list", "--json"]);
    expect(JSON.parse(list.stdout)).toEqual({ accounts: [] });
  });

  it.each([
    [["accounts", "use", "nobody"], 1, "no account is kept as nobody"],
    [["accounts", "remove", "nobody"], 1, "no account is kept as nobody"],
    [["accounts", "add", "x", "--current"], 4, "not signed in"],
    [["accounts", "add", "../x", "--current"], 2, "an account's name is"],
    [["accounts", "add", ".hidden", "--current"], 2, "an account's name is"],
    [
      ["accounts", "add", "x", "--current", "--with-api-key"],
      2,
      "--current keeps the current sign-in",
    ],
    [["accounts", "nonsense"], 2, "accounts needs one of: accounts list, accounts use"],
  ])("%j ends with %d and one line", async (args, exitCode, words) => {
    await using home = await codexHome();
    const result = await home.run(args);
    expect(result.stderr).toContain(words);
    expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(result.exitCode).toBe(exitCode);
  });

  it("leaves nothing behind if the sign-in failed, and rejects a name that is taken", async () => {
    await using home = await codexHome();
    const failed = await home.run(["accounts", "add", "x", "--with-api-key"]);
    expect([failed.exitCode, failed.stderr]).toEqual([
      1,
      "Reading API key from stdin...\nNo API key provided via stdin.\n",
    ]);
    await done(home, ["accounts", "add", "x", "--with-api-key"], "sk-x");
    const again = await home.run(["accounts", "add", "x", "--with-api-key"], { stdin: "sk-y" });
    expect(again.stderr).toContain("an account is kept as x already");
    expect(again.exitCode).toBe(1);
  });

  it("lists methods in one column, and mentions a current sign-in that is not kept under a name", async () => {
    await using home = await codexHome();
    await signInAs(home, "one@example.com");
    await done(home, ["accounts", "add", "person", "--current"]);
    await done(home, ["accounts", "add", "k", "--with-api-key"], "sk-proj-1234567890ABCDE");
    const kept = await done(home, ["accounts", "list"]);
    expect(kept.stdout).toMatch(
      /^ {2}k {6}apiKey {3}sk-proj-\*\*\*ABCDE\n\* person chatgpt {2}one@example\.com/u,
    );
    expect(kept.stderr).toBe("");
    await signInAs(home, "two@example.com");
    const unkept = await done(home, ["accounts", "list"]);
    expect(unkept.stdout).not.toMatch(/^\*/mu);
    expect(unkept.stderr).toBe(
      "The current sign-in is not kept under a name. To keep it, run: agent-auth accounts add NAME --current\n",
    );
  });

  it("suggests no removal that would fail", async () => {
    await using home = await codexHome();
    await signInAs(home, "here@example.com");
    await done(home, ["accounts", "add", "here", "--current"]);
    await done(home, ["accounts", "add", "there", "--with-api-key"], "sk-there");
    const add = async (...args: readonly string[]) =>
      (await home.run(["accounts", "add", ...args], { stdin: "sk-x" })).stderr;
    expect(await add("here", "--with-api-key")).toMatch(
      /kept as here already\. It is the current sign-in\. Choose another name\.\n$/u,
    );
    expect(await add("there", "--with-api-key")).toMatch(
      /Choose another name, or run: agent-auth accounts remove there\n$/u,
    );
    expect(await add("again", "--current")).toMatch(
      /kept as here already\. No action is needed\. Run: agent-auth accounts list\n$/u,
    );
  });

  describe("beside one that cannot be read", () => {
    it("still knows the current sign-in, and lets no sign-in revoke it", async () => {
      await using home = await withBroken();
      const before = await home.readAuth();
      const revoked = authority.count("revoke");
      const result = await home.run(["login", "--with-api-key"], { stdin: "sk-new" });
      expect(result.stderr).toContain("the current sign-in is kept as work");
      expect(result.exitCode).toBe(1);
      expect(await home.readAuth()).toBe(before);
      expect(authority.count("revoke")).toBe(revoked);
    });

    it("rejects commands that may revoke the tokens of the broken account, and says what to do", async () => {
      await using home = await withBroken();
      await signInAs(home, "another@example.com");
      const before = await home.readAuth();
      const revoked = authority.count("revoke");
      for (const args of [
        ["login", "--with-api-key"],
        ["accounts", "add", "new", "--current"],
        ["accounts", "use", "work"],
      ]) {
        const result = await home.run(args, { stdin: "sk-new" });
        expect(result.stderr).toMatch(
          /the current sign-in may be the one kept as aaa, which cannot be read \(.*Run: agent-auth accounts remove aaa\n$/u,
        );
        expect(result.exitCode).toBe(1);
      }
      expect(await home.readAuth()).toBe(before);
      expect(authority.count("revoke")).toBe(revoked);
    });

    it("lists it with the others, and its name stays taken", async () => {
      await using home = await withBroken();
      const { stdout } = await done(home, ["accounts", "list"]);
      expect(stdout).toMatch(/^! aaa {2}cannot be read: .*\n\* work chatgpt {2}kept@example.com/u);
      const json = JSON.parse((await done(home, ["accounts", "list", "--json"])).stdout);
      expect(json.accounts).toMatchObject([
        {
          name: "aaa",
          isCurrent: null,
          method: null,
          error: { code: "LOGIN_AUTH_JSON_INVALID" },
        },
        { name: "work", isCurrent: true, method: "chatgpt", error: null },
      ]);
      const taken = await home.run(["accounts", "add", "aaa", "--with-api-key"], { stdin: "sk-x" });
      expect(taken.stderr).toContain("an account is kept as aaa already");
    });

    it("removes it by its name", async () => {
      await using home = await withBroken();
      const { stderr } = await done(home, ["accounts", "remove", "aaa"]);
      expect(stderr).toBe("Removed aaa. It could not be read, so no tokens were revoked.\n");
      expect(await readdir(join(home.path, "accounts"))).toEqual(["work"]);
    });

    it("signs out, removes the copy, and warns if there may be another", async () => {
      await using home = await withBroken();
      const known = await done(home, ["logout"]);
      expect(known.stderr).toContain("Removed work from the kept accounts\n");
      await signInAs(home, "another@example.com");
      const unknown = await done(home, ["logout"]);
      expect(unknown.stderr).toMatch(
        /^Successfully logged out\nwarning: the current sign-in may be the one kept as aaa/u,
      );
      expect(await home.readAuth()).toBeNull();
    });
  });

  it("removes only what it made: files of others stay, and so does what a link leads to", async () => {
    await using home = await codexHome();
    await done(home, ["accounts", "add", "key", "--with-api-key"], "sk-other");
    const folder = join(home.path, "accounts/key");
    await writeFile(join(folder, "precious"), "1");
    await done(home, ["accounts", "remove", "key"]);
    expect(await readdir(folder)).toEqual(["precious"]);
    const outside = join(home.path, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "auth.json"), '{"OPENAI_API_KEY":"sk-x"}');
    await symlink(outside, join(home.path, "accounts/link"));
    const result = await home.run(["accounts", "remove", "link"]);
    expect(result.stderr).toContain("no account is kept as link");
    expect(await readdir(outside)).toEqual(["auth.json"]);
  });

  it.runIf(process.getuid?.() === 0)(
    "made by root (sudo) belongs to the owner of CODEX_HOME, folders included",
    async () => {
      await using home = await codexHome();
      await chown(home.path, 65_534, 65_534);
      await done(home, ["accounts", "add", "new", "--with-api-key"], "sk-other");
      await done(home, ["login", "--with-api-key"], "sk-present");
      await done(home, ["accounts", "add", "now", "--current"]);
      for (const path of await readdir(home.path, { recursive: true })) {
        if (path === "config.toml") continue;
        expect([path, (await stat(join(home.path, path))).uid]).toEqual([path, 65_534]);
      }
    },
  );
});
