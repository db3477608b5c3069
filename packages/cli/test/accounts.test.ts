import { codexClientId, startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

/** The present sign-in becomes a ChatGPT one of a new account. */
const signInAs = async (home: CliHome, email: string, expiresInSeconds = 3600) => {
  const account = authority.createAccount({ email });
  const tokens = await authority.mintChatgptTokens({ account, expiresInSeconds });
  await home.writeAuth({
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens: {
      id_token: tokens.idToken,
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      oauth_provenance: { issuer: authority.issuer, client_id: codexClientId },
      account_id: account.accountId,
    },
    last_refresh: new Date().toISOString(),
    future: { kept: true },
  });
  return account;
};

const done = async (home: CliHome, args: readonly string[], stdin = "") => {
  const result = await home.run(args, { stdin });
  expect(result.stderr + result.stdout).not.toContain("Error");
  expect(result.exitCode).toBe(0);
  return result;
};

describe("accounts", () => {
  it("switches between sign-ins, to and fro, and revokes nothing", async () => {
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

  it("writes renewed tokens back to the account they belong to", async () => {
    await using home = await codexHome();
    await signInAs(home, "renewed@example.com", 60);
    const before = (await home.readAuth()) ?? "";
    await done(home, ["accounts", "add", "mine", "--current"]);
    await done(home, ["accounts", "add", "key", "--with-api-key"], "sk-other");
    await done(home, ["token"]);
    const renewed = (await home.readAuth()) ?? "";
    expect(renewed).not.toBe(before);
    await done(home, ["accounts", "use", "key"]);
    expect(await readFile(join(home.path, "accounts/mine/auth.json"), "utf8")).toBe(renewed);
    await done(home, ["accounts", "use", "mine"]);
    expect(await home.readAuth()).toBe(renewed);
    expect(JSON.parse(renewed)).toMatchObject({ future: { kept: true } });
  });

  it("lists what is kept, the present one marked, without secrets", async () => {
    await using home = await codexHome();
    const account = await signInAs(home, "list@example.com");
    await done(home, ["accounts", "add", "a", "--current"]);
    await done(home, ["accounts", "add", "b", "--with-api-key"], "sk-proj-1234567890ABCDE");
    const { stdout } = await done(home, ["accounts", "list"]);
    expect(stdout).toBe(
      `* a chatgpt  list@example.com  ${account.accountId}  ${account.planType}\n  b apiKey  sk-proj-***ABCDE\n`,
    );
    const json = await done(home, ["accounts", "list", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual({
      accounts: [
        {
          name: "a",
          isPresent: true,
          method: "chatgpt",
          email: "list@example.com",
          accountId: account.accountId,
          plan: account.planType,
          apiKey: null,
        },
        {
          name: "b",
          isPresent: false,
          method: "apiKey",
          email: null,
          accountId: null,
          plan: null,
          apiKey: "sk-proj-***ABCDE",
        },
      ],
    });
  });

  it("changes nothing where the present sign-in would be lost", async () => {
    await using home = await codexHome();
    await done(home, ["accounts", "add", "key", "--with-api-key"], "sk-other");
    await signInAs(home, "unkept@example.com");
    const before = await home.readAuth();
    const result = await home.run(["accounts", "use", "key"]);
    expect(result.stderr).toBe(
      "Error switching accounts: the present sign-in is not kept under any name and would be lost. Run: agent-auth accounts add NAME --current\n",
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
    expect(result.stderr).toContain("the present sign-in is kept as safe");
    expect(result.stderr).toContain("agent-auth accounts add NAME");
    expect(result.exitCode).toBe(1);
    expect(await home.readAuth()).toBe(before);
  });

  it("removes an account and revokes its tokens, but not the present one", async () => {
    await using home = await codexHome();
    await signInAs(home, "gone@example.com");
    await done(home, ["accounts", "add", "gone", "--current"]);
    const refused = await home.run(["accounts", "remove", "gone"]);
    expect(refused.stderr).toContain("gone is the present sign-in");
    expect(refused.exitCode).toBe(1);
    await done(home, ["accounts", "add", "key", "--with-api-key"], "sk-other");
    await done(home, ["accounts", "use", "key"]);
    const revoked = authority.count("revoke");
    await done(home, ["accounts", "remove", "gone"]);
    expect(authority.count("revoke")).toBe(revoked + 1);
    const { stdout } = await done(home, ["accounts", "list"]);
    expect(stdout).toBe("* key apiKey  ***\n");
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
    [["accounts", "add", "x", "--current", "--with-api-key"], 2, "--current signs nobody in"],
    [["accounts"], 2, "accounts needs one of: accounts list, accounts use"],
  ])("%j ends with %d and one line", async (args, exitCode, words) => {
    await using home = await codexHome();
    const result = await home.run(args);
    expect(result.stderr).toContain(words);
    expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(result.exitCode).toBe(exitCode);
  });

  it("leaves nothing behind where signing in failed, and refuses a name that is taken", async () => {
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
});
