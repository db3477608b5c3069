import { codexClientId, startTestAuthority } from "@agent-auth/test-authority";
import type { TestAuthority } from "@agent-auth/test-authority";
import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import { errorOf, post } from "./support/agent.ts";
import {
  beginSignIn,
  codeOf,
  exchangeCode,
  postForm,
  refresh,
  signIn,
  Tokens,
} from "./support/oauth.ts";

const useToken = (authority: TestAuthority, accessToken: string, accountId?: string) =>
  fetch(`${authority.chatgptBaseUrl}/codex/models`, {
    headers: {
      authorization: `Bearer ${accessToken}`,
      "chatgpt-account-id": accountId ?? authority.account.accountId,
    },
  });

describe("POST /oauth/token with a code", () => {
  it("returns tokens with the claims of the chosen account", async () => {
    await using authority = await startTestAuthority();
    const account = authority.createAccount({ planType: "business", isFedrampAccount: true });
    const { url, verifier } = beginSignIn(authority, { nonce: "n-1" });
    const callback = authority.decideSignIn(url, { decision: "approve", account });
    const answer = await exchangeCode(authority, codeOf(callback), verifier);
    const tokens = Tokens.parse(await answer.json());
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(decodeJwt(tokens.id_token)).toMatchObject({
      iss: authority.issuer,
      aud: codexClientId,
      nonce: "n-1",
      email: account.email,
      "https://api.openai.com/auth": {
        chatgpt_plan_type: "business",
        chatgpt_user_id: account.userId,
        chatgpt_account_id: account.accountId,
        chatgpt_account_is_fedramp: true,
      },
    });
    const claims = decodeJwt(tokens.access_token);
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(tokens.expires_in);
    expect(authority.count("codeExchange")).toBe(1);
    expect(authority.count("token")).toBe(1);
  });

  it.each([
    ["another verifier", { code_verifier: "v".repeat(43) }],
    ["another redirect URI", { redirect_uri: "http://127.0.0.1:1457/auth/callback" }],
    ["another client", { client_id: "app_other" }],
    ["a made-up code", { code: "ac_made-up" }],
  ])("refuses %s", async (_name, change) => {
    await using authority = await startTestAuthority();
    const { url, verifier } = beginSignIn(authority);
    const answer = await exchangeCode(
      authority,
      codeOf(authority.decideSignIn(url)),
      verifier,
      change,
    );
    expect([answer.status, (await errorOf(answer)).code]).toEqual([400, "invalid_grant"]);
  });

  it("rejects an expired code, and JSON instead of a form", async () => {
    await using authority = await startTestAuthority();
    const { url, verifier } = beginSignIn(authority);
    const code = codeOf(authority.decideSignIn(url));
    authority.clock.advance(600_000);
    expect((await errorOf(await exchangeCode(authority, code, verifier))).message).toContain(
      "expired",
    );
    const body = { grant_type: "authorization_code", code };
    const asJson = await post(`${authority.issuer}/oauth/token`, body);
    expect((await errorOf(asJson)).code).toBe("invalid_content_type");
  });

  it("revokes a code's tokens when the code is used a second time", async () => {
    await using authority = await startTestAuthority();
    const { url, verifier } = beginSignIn(authority);
    const code = codeOf(authority.decideSignIn(url));
    const tokens = Tokens.parse(await (await exchangeCode(authority, code, verifier)).json());
    expect((await useToken(authority, tokens.access_token)).status).toBe(200);
    expect((await exchangeCode(authority, code, verifier)).status).toBe(400);
    expect((await errorOf(await useToken(authority, tokens.access_token))).code).toBe(
      "token_revoked",
    );
  });

  it.each([
    [
      "object",
      { error: { code: "invalid_grant", message: expect.any(String), type: expect.any(String) } },
    ],
    ["string", { error: "invalid_grant", error_description: expect.any(String) }],
    ["code", { code: "invalid_grant", message: expect.any(String) }],
  ] as const)("sends errors in the shape '%s'", async (tokenErrorShape, body) => {
    await using authority = await startTestAuthority({ settings: { tokenErrorShape } });
    const answer = await exchangeCode(authority, "ac_made-up", "v".repeat(43));
    expect(await answer.json()).toEqual(body);
  });

  it("rejects an unknown grant", async () => {
    await using authority = await startTestAuthority();
    const answer = await postForm(`${authority.issuer}/oauth/token`, { grant_type: "password" });
    expect((await errorOf(answer)).code).toBe("unsupported_grant_type");
  });
});

describe("POST /oauth/token with a refresh token", () => {
  it("returns new tokens and keeps the old access token valid", async () => {
    await using authority = await startTestAuthority();
    const first = await signIn(authority);
    const answer = await refresh(authority, first.refresh_token);
    const second = Tokens.parse(await answer.json());
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect((await useToken(authority, first.access_token)).status).toBe(200);
    expect((await useToken(authority, second.access_token)).status).toBe(200);
    expect(authority.requestsTo("refresh")[0]?.json()).toMatchObject({ refresh_reason: "forced" });
  });

  it("accepts one of twenty concurrent refreshes, and then revokes the whole sign-in", async () => {
    await using authority = await startTestAuthority();
    const tokens = await authority.mintChatgptTokens();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => refresh(authority, tokens.refreshToken)),
    );
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    const [winner] = answers.filter((answer) => answer.status === 200);
    const pair = Tokens.parse(await winner?.json());
    expect((await errorOf(await useToken(authority, pair.access_token))).code).toBe(
      "token_revoked",
    );
    const late = await refresh(authority, pair.refresh_token);
    expect([late.status, (await errorOf(late)).code]).toEqual([401, "refresh_token_invalidated"]);
    const [loser] = answers.filter((answer) => answer.status === 401);
    expect(loser && (await errorOf(loser)).code).toBe("refresh_token_reused");
  });

  it("allows reuse if configured to", async () => {
    await using authority = await startTestAuthority({ settings: { punishReuse: false } });
    const first = await signIn(authority);
    const second = Tokens.parse(await (await refresh(authority, first.refresh_token)).json());
    const reused = await refresh(authority, first.refresh_token);
    expect((await errorOf(reused)).code).toBe("refresh_token_reused");
    expect((await refresh(authority, second.refresh_token)).status).toBe(200);
  });

  it("says whether a rejected token is unknown, expired, revoked or of another client", async () => {
    await using authority = await startTestAuthority();
    const codeFor = async (token: string) => (await errorOf(await refresh(authority, token))).code;
    expect(await codeFor("rt_made-up")).toBe("refresh_token_invalidated");
    const expired = await authority.mintChatgptTokens({ refreshExpiresInSeconds: 60 });
    authority.clock.advance(60_000);
    expect(await codeFor(expired.refreshToken)).toBe("refresh_token_expired");
    const alive = await authority.mintChatgptTokens();
    authority.expireRefreshToken(alive.refreshToken);
    expect(await codeFor(alive.refreshToken)).toBe("refresh_token_expired");
    const revoked = await authority.mintChatgptTokens();
    authority.revokeRefreshToken(revoked.refreshToken);
    expect(await codeFor(revoked.refreshToken)).toBe("refresh_token_invalidated");
    const others = await authority.mintChatgptTokens({ clientId: "app_other" });
    expect(await codeFor(others.refreshToken)).toBe("invalid_client");
  });

  it("uses the refresh token at once even if the response is late", async () => {
    await using authority = await startTestAuthority();
    const tokens = await authority.mintChatgptTokens();
    authority.behave("refresh", { delayMs: 50 }, { times: 1 });
    const slow = refresh(authority, tokens.refreshToken);
    await authority.waitForRequest("refresh");
    const second = await refresh(authority, tokens.refreshToken);
    expect((await errorOf(second)).code).toBe("refresh_token_reused");
    expect((await slow).status).toBe(200);
  });
});

describe("mintChatgptTokens", () => {
  it("mints expired tokens, tokens without expiry, and other claims", async () => {
    await using authority = await startTestAuthority();
    const expired = await authority.mintChatgptTokens({ expiresInSeconds: -10 });
    expect((await errorOf(await useToken(authority, expired.accessToken))).code).toBe(
      "token_expired",
    );
    const endless = await authority.mintChatgptTokens({ accessTokenClaims: { exp: undefined } });
    expect(decodeJwt(endless.accessToken).exp).toBeUndefined();
    authority.clock.advance(86_400_000);
    expect((await useToken(authority, endless.accessToken)).status).toBe(200);
    const wrong = await useToken(authority, endless.accessToken, "acct-other");
    expect((await errorOf(wrong)).code).toBe("wrong_account_id");
  });
});

const askForApiKey = (authority: TestAuthority, subject: string) =>
  postForm(`${authority.issuer}/oauth/token`, {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    client_id: codexClientId,
    requested_token: "openai-api-key",
    subject_token: subject,
    subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
  });

describe("POST /oauth/token with an id token", () => {
  it("returns a working API key", async () => {
    await using authority = await startTestAuthority();
    const tokens = await authority.mintChatgptTokens();
    const answer = Tokens.pick({ access_token: true }).parse(
      await (await askForApiKey(authority, tokens.idToken)).json(),
    );
    const models = await fetch(`${authority.openaiBaseUrl}/models`, {
      headers: { authorization: `Bearer ${answer.access_token}` },
    });
    expect(models.status).toBe(200);
    expect(authority.count("apiKeyExchange")).toBe(1);
  });

  it("rejects expired tokens, access tokens, and tokens for another client", async () => {
    await using authority = await startTestAuthority();
    const expired = await authority.mintChatgptTokens({ expiresInSeconds: -10 });
    const other = await authority.mintChatgptTokens({ clientId: "app_other" });
    for (const token of [expired.idToken, other.idToken, other.accessToken, "no.jwt.here"])
      expect((await errorOf(await askForApiKey(authority, token))).code).toBe(
        "invalid_subject_token",
      );
  });
});

describe("POST /oauth/revoke", () => {
  it("revokes the whole sign-in of a refresh token, or only an access token", async () => {
    await using authority = await startTestAuthority();
    const url = `${authority.issuer}/oauth/revoke`;
    const one = await authority.mintChatgptTokens();
    const client_id = codexClientId;
    const hint = { token_type_hint: "refresh_token", client_id };
    expect((await post(url, { token: one.refreshToken, ...hint })).status).toBe(200);
    expect((await useToken(authority, one.accessToken)).status).toBe(401);
    expect((await refresh(authority, one.refreshToken)).status).toBe(401);
    const two = await authority.mintChatgptTokens();
    await post(url, { token: two.accessToken, token_type_hint: "access_token" });
    expect((await useToken(authority, two.accessToken)).status).toBe(401);
    expect((await refresh(authority, two.refreshToken)).status).toBe(200);
    expect((await post(url, { token: "unknown", ...hint })).status).toBe(200);
    expect((await post(url, { token: "x" })).status).toBe(400);
  });
});
