import { startTestAuthority, type TestAuthorityOptions } from "@agent-auth/test-authority";
import { describe, expect, it, onTestFinished } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { CliHome } from "./support/cli.ts";

const timeout = 60_000;

const open = async (options: TestAuthorityOptions = {}) => {
  const authority = await startTestAuthority({
    ...options,
    account: {
      accountId: "ws-1",
      userId: "user-1",
      workspaceName: "Mine",
      planType: "plus",
      ...options.account,
    },
  });
  onTestFinished(() => authority.close());
  authority.createAccount({
    accountId: "ws-2",
    userId: "user-1",
    workspaceName: "Team",
    planType: "team",
  });
  const home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
  onTestFinished(() => home[Symbol.asyncDispose]());
  await home.writeAuth(chatgptSignIn(authority, await authority.mintChatgptTokens()));
  return { authority, home };
};

describe("accounts switch-workspace", () => {
  it(
    "lists the workspaces, switches, and the next request is for the new one",
    { timeout },
    async () => {
      const { authority, home } = await open();
      const list = await home.run(["accounts", "switch-workspace"]);
      expect([list.exitCode, list.stdout]).toEqual([
        0,
        "* ws-1  Mine  personal\n  ws-2  Team  workspace\n",
      ]);
      const switched = await home.run(["accounts", "switch-workspace", "ws-2"]);
      expect([switched.exitCode, switched.stderr]).toEqual([0, "Now using workspace ws-2\n"]);
      const { stdout } = await home.run(["login", "status"]);
      expect(stdout).toBe("");
      const headers = await home.run(["headers", "--json"]);
      expect(JSON.parse(headers.stdout)).toMatchObject({
        headers: { "ChatGPT-Account-ID": "ws-2" },
      });
      expect(authority.count("refresh")).toBe(0);
    },
  );

  it("has JSON answers, also for a refusal", { timeout }, async () => {
    const { home } = await open();
    const list = await home.run(["accounts", "switch-workspace", "--json"]);
    expect(JSON.parse(list.stdout)).toEqual({
      workspaces: [
        { id: "ws-1", name: "Mine", structure: "personal", isCurrent: true },
        { id: "ws-2", name: "Team", structure: "workspace", isCurrent: false },
      ],
    });
    const refused = await home.run(["accounts", "switch-workspace", "ws-9", "--json"]);
    expect(refused.exitCode).toBe(4);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      error: {
        code: "LOGIN_WORKSPACE_SWITCH_FAILED",
        message: "Workspace switch was rejected (HTTP 403 Forbidden)",
      },
    });
  });
});

describe("the policy and the routing of a workspace", () => {
  it("are asked for once by many processes, and not by login status", { timeout }, async () => {
    const { authority, home } = await open({ account: { planType: "enterprise" } });
    await home.run(["login", "status"]);
    expect(authority.requests).toEqual([]);
    for (const args of [["headers"], ["token"], ["exec", "--", "true"], ["api", "/models"]])
      expect([args, (await home.run(args)).exitCode]).toEqual([args, 0]);
    expect([authority.count("configBundle"), authority.count("accountsCheck")]).toEqual([1, 1]);
  });

  it("stop every command that would hand out the credential", { timeout }, async () => {
    const { authority, home } = await open({
      account: { planType: "enterprise" },
      settings: { managedRequirements: 'allowed_login_methods = ["api"]' },
    });
    const before = await home.readAuth();
    const rule = 'allowed_login_methods in the workspace policy "Managed requirements"';
    for (const args of [
      ["headers"],
      ["token"],
      ["exec", "--", "true"],
      ["api", "/models"],
      ["login", "status"],
    ]) {
      const { exitCode, stderr } = await home.run(args);
      expect([args, exitCode]).toEqual([args, 1]);
      expect(stderr).toContain(rule);
    }
    expect(await home.readAuth()).toBe(before);
    expect(authority.count("models")).toBe(0);
  });
});
