import { startTestAuthority } from "@agent-auth/test-authority";
import type { TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { assertionHeaders, errorOf, registerTask } from "./support/agent.ts";

const bases = (authority: TestAuthority) => [
  `${authority.chatgptBaseUrl}/wham`,
  `${authority.url}/api/codex`,
];

const asPerson = (token: string, accountId: string) => ({
  authorization: `Bearer ${token}`,
  "chatgpt-account-id": accountId,
});

describe("accountsCheck", () => {
  it("lists only the caller's workspaces, in both URL styles", async () => {
    await using authority = await startTestAuthority({
      account: { userId: "user-1", workspaceName: "Own", planType: "plus" },
    });
    const { account } = authority;
    const team = authority.createAccount({
      userId: "user-1",
      workspaceName: "Team",
      planType: "business",
      isFedrampAccount: true,
    });
    authority.createAccount({ userId: "user-2" });
    const { accessToken } = await authority.mintChatgptTokens();
    const common = { profile_picture_url: null, workspace_backend_origin: "NO_CONSTRAINT" };
    for (const base of bases(authority)) {
      const answer = await fetch(`${base}/accounts/check`, {
        headers: asPerson(accessToken, account.accountId),
      });
      expect(await answer.json()).toEqual({
        accounts: [
          {
            ...common,
            id: account.accountId,
            name: "Own",
            plan_type: "plus",
            structure: "personal",
            account_routing_override: "NO_CONSTRAINT",
          },
          {
            ...common,
            id: team.accountId,
            name: "Team",
            plan_type: "business",
            structure: "workspace",
            account_routing_override: "us_cr",
          },
        ],
        account_ordering: [account.accountId, team.accountId],
        default_account_id: account.accountId,
      });
    }
    expect(authority.count("accountsCheck")).toBe(2);
  });

  it("can be steered like every endpoint", async () => {
    await using authority = await startTestAuthority();
    authority.behave("accountsCheck", { status: 502 }, { times: 1 });
    const answer = await fetch(`${authority.chatgptBaseUrl}/wham/accounts/check`);
    expect(answer.status).toBe(502);
  });
});

describe("switchWorkspace", () => {
  it("issues a token of another workspace of the same user, and of no other", async () => {
    await using authority = await startTestAuthority({ account: { userId: "user-1" } });
    const team = authority.createAccount({ userId: "user-1" });
    const stranger = authority.createAccount({ userId: "user-2" });
    const { accessToken } = await authority.mintChatgptTokens();
    const ask = (id: string) =>
      fetch(`${authority.chatgptBaseUrl}/accounts/switch-workspace-token`, {
        method: "POST",
        headers: {
          ...asPerson(accessToken, authority.account.accountId),
          "content-type": "application/json",
        },
        body: JSON.stringify({ workspace_id: id }),
      });
    expect((await ask(stranger.accountId)).status).toBe(403);
    const answer: { readonly access_token: string } = JSON.parse(
      await (await ask(team.accountId)).text(),
    );
    const models = await fetch(`${authority.chatgptBaseUrl}/codex/models`, {
      headers: asPerson(answer.access_token, team.accountId),
    });
    expect(models.status).toBe(200);
  });
});

describe("configBundle", () => {
  it("manages nothing by default", async () => {
    await using authority = await startTestAuthority();
    const headers = asPerson(authority.mintPersonalAccessToken(), authority.account.accountId);
    const ask = async (base: string) => (await fetch(`${base}/config/bundle`, { headers })).json();
    for (const base of bases(authority))
      expect(await ask(base)).toEqual({ config_toml: null, requirements_toml: null });
    authority.configure({
      managedConfig: 'model = "m"',
      managedRequirements: 'allowed_sandbox_modes = ["read-only"]',
    });
    expect(await ask(`${authority.chatgptBaseUrl}/wham`)).toEqual({
      config_toml: {
        enterprise_managed: [
          { id: "config", name: "Managed configuration", contents: 'model = "m"' },
        ],
      },
      requirements_toml: {
        enterprise_managed: [
          {
            id: "requirements",
            name: "Managed requirements",
            contents: 'allowed_sandbox_modes = ["read-only"]',
          },
        ],
      },
    });
  });

  it("also accepts agents", async () => {
    await using authority = await startTestAuthority();
    const agent = await authority.mintAgentIdentity();
    const taskId = await registerTask(authority, agent);
    const headers = assertionHeaders(agent, taskId, authority.clock.nowMs());
    const answer = await fetch(`${authority.chatgptBaseUrl}/wham/config/bundle`, { headers });
    expect(answer.status).toBe(200);
  });
});

describe.each(["accounts/check", "config/bundle"])("%s", (path) => {
  it("rejects unknown tokens, API keys, revoked tokens and other accounts", async () => {
    await using authority = await startTestAuthority();
    const { accountId } = authority.account;
    const refusal = async (headers: Record<string, string>) => {
      const answer = await fetch(`${authority.chatgptBaseUrl}/wham/${path}`, { headers });
      expect(answer.status).toBe(401);
      return (await errorOf(answer)).code;
    };
    expect(await refusal({})).toBe("missing_authorization");
    expect(await refusal(asPerson("at-made-up", accountId))).toBe("invalid_api_key");
    expect(await refusal(asPerson(authority.addApiKey(), accountId))).toBe("invalid_token");
    const token = authority.mintPersonalAccessToken();
    expect(await refusal(asPerson(token, authority.createAccount().accountId))).toBe(
      "wrong_account_id",
    );
    authority.revokeAccessToken(token);
    expect(await refusal(asPerson(token, accountId))).toBe("token_revoked");
  });
});
