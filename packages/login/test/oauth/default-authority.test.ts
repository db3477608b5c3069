/** Requests to `https://auth.openai.com`, the default authority, with the real client and no real network. */
import { setupNetwork } from "@agent-auth/tools/network";
import { http, HttpResponse } from "msw";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signInWithDeviceCode } from "../../src/promises/index.ts";
import { idToken } from "./support/memory-authority.ts";

const sent: Array<{ readonly request: string; readonly body: string }> = [];

const record = async (request: Request) => {
  sent.push({ request: `${request.method} ${request.url}`, body: await request.text() });
};

const network = setupNetwork(
  http.post("https://auth.openai.com/api/accounts/deviceauth/usercode", async ({ request }) => {
    await record(request);
    return HttpResponse.json({ device_auth_id: "dev_1", user_code: "ABCD-EFGH", interval: "1" });
  }),
  http.post("https://auth.openai.com/api/accounts/deviceauth/token", async ({ request }) => {
    await record(request);
    return HttpResponse.json({
      authorization_code: "code_1",
      code_challenge: "challenge_1",
      code_verifier: "verifier_1",
    });
  }),
  http.post("https://auth.openai.com/oauth/token", async ({ request }) => {
    await record(request);
    const form = new URLSearchParams(sent.at(-1)?.body);
    if (form.get("grant_type") !== "authorization_code")
      return HttpResponse.json({}, { status: 400 });
    return HttpResponse.json({
      id_token: idToken("ws_1"),
      access_token: "access_1",
      refresh_token: "refresh_1",
    });
  }),
);
beforeAll(() => network.listen());
afterAll(() => network.close());

describe("signInWithDeviceCode without an issuer", () => {
  it("uses OpenAI's authority and the client of Codex", async () => {
    const shown: Array<string> = [];
    const { accountId } = await signInWithDeviceCode({
      variables: {},
      onCode: ({ verificationUrl }) => void shown.push(verificationUrl),
    });
    expect(accountId).toBe("ws_1");
    expect(shown).toEqual(["https://auth.openai.com/codex/device"]);
    expect(sent.map(({ request }) => request).slice(0, 3)).toEqual([
      "POST https://auth.openai.com/api/accounts/deviceauth/usercode",
      "POST https://auth.openai.com/api/accounts/deviceauth/token",
      "POST https://auth.openai.com/oauth/token",
    ]);
    expect(JSON.parse(sent[0]?.body ?? "")).toEqual({ client_id: "app_EMoamEEZ73f0CkXaXp7hrann" });
    expect(JSON.parse(sent[1]?.body ?? "")).toEqual({
      device_auth_id: "dev_1",
      user_code: "ABCD-EFGH",
    });
    expect(Object.fromEntries(new URLSearchParams(sent[2]?.body))).toEqual({
      grant_type: "authorization_code",
      code: "code_1",
      redirect_uri: "https://auth.openai.com/deviceauth/callback",
      client_id: "app_EMoamEEZ73f0CkXaXp7hrann",
      code_verifier: "verifier_1",
    });
  });
});
