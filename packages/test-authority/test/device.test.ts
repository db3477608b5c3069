import { codexClientId, startTestAuthority } from "@agent-auth/test-authority";
import type { TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { errorOf, post } from "./support/agent.ts";
import { exchangeCode, postForm, Tokens } from "./support/oauth.ts";

const Begun = z.object({
  device_auth_id: z.string(),
  user_code: z.string().regex(/^[A-Z]{4}-[A-Z]{4}$/),
  interval: z.literal("5"),
});

const begin = async (authority: TestAuthority) => {
  const url = `${authority.issuer}/api/accounts/deviceauth/usercode`;
  return Begun.parse(await (await post(url, { client_id: codexClientId })).json());
};

const poll = (authority: TestAuthority, { device_auth_id, user_code }: z.infer<typeof Begun>) =>
  post(`${authority.issuer}/api/accounts/deviceauth/token`, { device_auth_id, user_code });

const Approved = z.object({
  authorization_code: z.string(),
  code_challenge: z.string(),
  code_verifier: z.string(),
});

describe("the device flow", () => {
  it("signs in when the user has entered the code in any case and approved", async () => {
    await using authority = await startTestAuthority();
    const account = authority.createAccount();
    const device = await begin(authority);
    const waiting = await poll(authority, device);
    expect([waiting.status, (await errorOf(waiting)).code]).toEqual([
      403,
      "deviceauth_authorization_pending",
    ]);
    const typed = device.user_code.toLowerCase().replace("-", " ");
    const page = await postForm(`${authority.issuer}/codex/device`, { user_code: typed });
    expect(await page.text()).toContain(account.email);
    const decided = await postForm(`${authority.issuer}/codex/device/decide`, {
      user_code: device.user_code,
      account: account.accountId,
      decision: "approve",
    });
    expect(await decided.text()).toContain("Device signed in");
    const approved = Approved.parse(await (await poll(authority, device)).json());
    const answer = await exchangeCode(
      authority,
      approved.authorization_code,
      approved.code_verifier,
      { redirect_uri: `${authority.issuer}/deviceauth/callback` },
    );
    const tokens = Tokens.parse(await answer.json());
    const models = await fetch(`${authority.chatgptBaseUrl}/codex/models`, {
      headers: {
        authorization: `Bearer ${tokens.access_token}`,
        "chatgpt-account-id": account.accountId,
      },
    });
    expect(models.status).toBe(200);
    expect((await errorOf(await poll(authority, device))).code).toBe("expired_token");
  });

  it("distinguishes a denial, an expired code and an unknown code", async () => {
    await using authority = await startTestAuthority({ settings: { deviceCodeSeconds: 60 } });
    const denied = await begin(authority);
    expect(authority.decideDevice(denied.user_code, { decision: "deny" })).toBe(true);
    expect(authority.decideDevice(denied.user_code, { decision: "approve" })).toBe(false);
    expect((await errorOf(await poll(authority, denied))).code).toBe("access_denied");
    const unknown = await poll(authority, { ...denied, device_auth_id: "other" });
    expect([unknown.status, (await errorOf(unknown)).code]).toEqual([404, "deviceauth_unknown"]);
    const late = await begin(authority);
    authority.clock.advance(60_000);
    expect(authority.decideDevice(late.user_code, { decision: "approve" })).toBe(false);
    expect((await errorOf(await poll(authority, late))).code).toBe("expired_token");
  });

  it("is rejected if disabled, and uses the configured field name", async () => {
    await using authority = await startTestAuthority();
    const url = `${authority.issuer}/api/accounts/deviceauth/usercode`;
    authority.configure({ deviceUserCodeField: "usercode", deviceIntervalSeconds: "7" });
    const answer = await post(url, { client_id: codexClientId });
    expect(await answer.json()).toMatchObject({ usercode: expect.any(String), interval: "7" });
    authority.configure({ deviceSignInEnabled: false });
    expect((await post(url, { client_id: codexClientId })).status).toBe(404);
  });
});

describe("the device page", () => {
  it("asks for the code, and shows a wrong one escaped", async () => {
    await using authority = await startTestAuthority();
    const url = `${authority.issuer}/codex/device`;
    expect(await (await fetch(url)).text()).toContain('name="user_code"');
    const wrong = await postForm(url, { user_code: '"><script>' });
    const text = await wrong.text();
    expect(wrong.status).toBe(400);
    expect(text).toContain('role="alert"');
    expect(text).toContain("&quot;&gt;&lt;script&gt;");
    expect(text).not.toContain("<script");
  });
});
