import { startTestAuthority } from "@agent-auth/test-authority";
import type { TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { errorOf, post } from "./support/agent.ts";

const abom = {
  agent_version: "1.0.0",
  agent_harness_id: "codex-cli",
  running_location: "cli-linux",
};
// The SSH form of a public key made by OpenSSL, see agent-identity's vectors.
const publicKey =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";

const mintBiscuit = (authority: TestAuthority, accessToken: string, change = {}) =>
  fetch(`${authority.accountsBaseUrl}/authenticate_app_v2`, {
    headers: {
      authorization: `Bearer ${accessToken}`,
      "x-request-id": "codex-agent-identity-AAAAAAAAAAAAAAAAAAAAAA",
      "x-original-method": "POST",
      "x-original-url": `${authority.accountsBaseUrl}/v1/agent/register`,
      ...change,
    },
  });

describe("whoami", () => {
  it("returns the user of a personal access token", async () => {
    await using authority = await startTestAuthority({ account: { planType: "edu" } });
    const { account } = authority;
    const url = `${authority.accountsBaseUrl}/v1/user-auth-credential/whoami`;
    const ask = (token: string) => fetch(url, { headers: { authorization: `Bearer ${token}` } });
    const token = authority.mintPersonalAccessToken();
    expect(token).toMatch(/^at-/);
    expect(await (await ask(token)).json()).toEqual({
      email: account.email,
      chatgpt_user_id: account.userId,
      chatgpt_account_id: account.accountId,
      chatgpt_plan_type: "edu",
      chatgpt_account_is_fedramp: false,
    });
    authority.revokeAccessToken(token);
    expect((await errorOf(await ask(token))).code).toBe("token_revoked");
    expect((await errorOf(await ask(authority.addApiKey()))).code).toBe("invalid_token");
  });
});

describe("biscuits", () => {
  it("are returned in a response header for an access token and the original request", async () => {
    await using authority = await startTestAuthority();
    const { accessToken } = await authority.mintChatgptTokens();
    const answer = await mintBiscuit(authority, accessToken);
    expect(answer.headers.get("x-openai-authorization")).toMatch(/^biscuit_/);
    const wrong = await mintBiscuit(authority, accessToken, { "x-request-id": "1" });
    expect(await errorOf(wrong)).toMatchObject({
      code: "invalid_headers",
      message: expect.stringContaining("x-request-id"),
    });
    const personal = await mintBiscuit(authority, authority.mintPersonalAccessToken());
    expect((await errorOf(personal)).code).toBe("invalid_token");
  });
});

describe("agent registration", () => {
  it("accepts a biscuit with a v1 body", async () => {
    await using authority = await startTestAuthority();
    const { accessToken } = await authority.mintChatgptTokens();
    const minted = await mintBiscuit(authority, accessToken);
    const biscuit = minted.headers.get("x-openai-authorization") ?? "";
    const body = { abom, agent_public_key: publicKey, capabilities: [] };
    const url = `${authority.chatgptBaseUrl}/v1/agent/register`;
    const answer = await post(url, body, { "x-openai-authorization": biscuit });
    expect(await answer.json()).toEqual({ agent_runtime_id: expect.stringMatching(/^agent-/) });
    const forged = await post(url, body, { "x-openai-authorization": "biscuit_made-up" });
    expect((await errorOf(forged)).code).toBe("invalid_biscuit");
  });

  it("accepts an access token with a v2 body", async () => {
    await using authority = await startTestAuthority();
    const { accessToken } = await authority.mintChatgptTokens();
    const headers = { authorization: `Bearer ${accessToken}` };
    const url = `${authority.accountsBaseUrl}/v1/agent/register`;
    const body = { abom, agent_public_key: publicKey, capabilities: ["responsesapi"], ttl: null };
    const answer = await post(url, body, headers);
    expect(answer.status).toBe(200);
    const noKey = await post(url, { ...body, agent_public_key: "ssh-rsa AAAA" }, headers);
    expect((await errorOf(noKey)).code).toBe("invalid_public_key");
    const firstDesign = await post(url, { ...body, capabilities: [] }, headers);
    expect((await errorOf(firstDesign)).message).toContain("capabilities");
    expect((await errorOf(await post(url, body))).code).toBe("missing_authorization");
  });
});

describe("discovery", () => {
  it("names the endpoints", async () => {
    await using authority = await startTestAuthority();
    const answer = await fetch(`${authority.issuer}/.well-known/openid-configuration`);
    expect(await answer.json()).toMatchObject({
      issuer: authority.issuer,
      token_endpoint: `${authority.issuer}/oauth/token`,
      code_challenge_methods_supported: ["S256"],
    });
  });
});
