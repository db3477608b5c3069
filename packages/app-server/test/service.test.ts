import { createServer } from "node:net";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAuthManager } from "@agent-auth/login/promises";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { describe, expect, it, onTestFinished } from "vitest";
import type { TokenOwner } from "../src/service/index.ts";
import { openHome, signIn } from "./support/home.ts";
import { eventually, openService } from "./support/service.ts";

const openAuthority = async (): Promise<TestAuthority> => {
  const authority = await startTestAuthority();
  onTestFinished(() => authority.close());
  return authority;
};

const routingReady = {
  method: "account/updated",
  params: { authMode: "chatgpt", planType: "pro", reason: "workspaceRoutingReady" },
};

const updated = (authMode: string | null, planType: string | null = null) => ({
  method: "account/updated",
  params: { authMode, planType, reason: null },
});

describe("account: null says why", () => {
  it("if there is no sign-in", async () => {
    const { service } = await openService();
    expect((await service.read()).accountUnavailable).toEqual({
      reason: "signedOut",
      message: "not signed in",
      code: null,
      hint: "Sign in.",
      remedy: "signIn",
    });
  });

  it("if the provider uses its own credential", async () => {
    const { service } = await openService({
      configOverrides: [
        'model_provider="lab"',
        'model_providers.lab={name="lab",base_url="http://127.0.0.1:9/v1"}',
      ],
    });
    const info = await service.read();
    expect(info.requiresOpenaiAuth).toBe(false);
    expect(info.accountUnavailable?.reason).toBe("otherProvider");
  });

  it("if auth.json is broken", async () => {
    const home = await openHome();
    await writeFile(join(home, "auth.json"), "{", { mode: 0o600 });
    const { service } = await openService({ home });
    const { accountUnavailable } = await service.read();
    expect(accountUnavailable).toMatchObject({
      reason: "unusable",
      code: "LOGIN_AUTH_JSON_INVALID",
      remedy: "fixStore",
    });
  });

  it("if the refresh token was revoked", async () => {
    const authority = await openAuthority();
    const home = await openHome();
    const { refreshToken } = await signIn(home, authority, { expiresInSeconds: -10 });
    authority.revokeRefreshToken(refreshToken);
    const { service } = await openService({ home, authority });
    expect((await service.read()).accountUnavailable).toMatchObject({
      reason: "unusable",
      code: "LOGIN_REFRESH_REJECTED",
      remedy: "signIn",
    });
  });
});

describe("what other programs do", () => {
  it.each([
    { what: "login", expected: updated("apikey") },
    { what: "refresh", expected: updated("chatgpt", "pro") },
    { what: "logout", expected: updated(null) },
  ])("a $what is notified", async ({ expected, what }) => {
    const authority = await openAuthority();
    const home = await openHome();
    await signIn(home, authority);
    const { events, service } = await openService({ home, authority });
    await service.read();
    await using other = createAuthManager({
      environmentCredentials: false,
      variables: {
        CODEX_HOME: home,
        CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token`,
      },
    });
    if (what === "login") await other.loginWithApiKey("sk-other");
    else if (what === "refresh") await other.refresh("forced");
    else await other.logout();
    await eventually(events, 2);
    expect(events).toEqual([routingReady, expected]);
  });
});

const takePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

describe("a browser login", () => {
  it("ends with Login timed out", async () => {
    const authority = await openAuthority();
    const { events, service } = await openService({ authority, login: { timeoutMs: 20 } });
    const started = await service.startLogin({ type: "chatgpt" });
    await eventually(events, 1);
    const loginId = started.type === "chatgpt" ? started.loginId : "";
    expect(events).toEqual([
      {
        method: "account/login/completed",
        params: {
          loginId,
          success: false,
          error: "Login timed out",
          onboardingEntrypoint: null,
        },
      },
    ]);
  });

  it("stays pending if an empty API key is refused", async () => {
    const { events, service } = await openService({ authority: await openAuthority() });
    const started = await service.startLogin({ type: "chatgpt" });
    const loginId = started.type === "chatgpt" ? started.loginId : "";
    await expect(service.startLogin({ type: "apiKey", apiKey: " \n" })).rejects.toMatchObject({
      code: "LOGIN_INPUT_INVALID",
    });
    expect(events).toEqual([]);
    expect(await service.cancelLogin(loginId)).toEqual({ status: "canceled" });
  });

  it("names the port that another program holds", async () => {
    const port = await takePort();
    const { service } = await openService({
      authority: await openAuthority(),
      login: { ports: [port], portRetryMs: 0 },
    });
    await expect(service.startLogin({ type: "chatgpt" })).rejects.toMatchObject({
      code: "APP_SERVER_LOGIN_PORT_TAKEN",
      message: `failed to start login server: Port 127.0.0.1:${port} is already in use`,
      ports: [port],
    });
  });

  it("uses a free port instead if the authority allows any", async () => {
    const port = await takePort();
    const { service } = await openService({
      authority: await openAuthority(),
      login: { ports: [port], portRetryMs: 0, anyFreePort: true },
    });
    const started = await service.startLogin({ type: "chatgpt" });
    const url = new URL(started.type === "chatgpt" ? started.authUrl : "");
    const redirect = new URL(url.searchParams.get("redirect_uri") ?? "");
    expect(redirect.hostname).toBe("127.0.0.1");
    expect(redirect.port).not.toBe(String(port));
  });
});

const lend = async (authority: TestAuthority, expiresInSeconds = 3_600) => {
  const { accessToken, account } = await authority.mintChatgptTokens({
    accessTokenClaims: { email: authority.account.email },
    expiresInSeconds,
  });
  return { accessToken, chatgptAccountId: account.accountId };
};

const owner = (refresh: TokenOwner["refresh"]): TokenOwner => ({ name: "a client", refresh });

const authStatus = async (service: Awaited<ReturnType<typeof openService>>["service"]) => {
  const { authToken, ...rest } = await Effect.runPromise(
    service.effects.authStatus({ includeToken: true }),
  );
  return { ...rest, authToken: authToken === null ? null : Redacted.value(authToken) };
};

describe("lent tokens", () => {
  const silent = owner(() => new Promise(() => {}));

  it.each([
    { title: "end with their owner", keepLentTokens: false, after: "apiKey" },
    { title: "stay if asked to", keepLentTokens: true, after: "chatgpt" },
  ])("$title", async ({ after, keepLentTokens }) => {
    const authority = await openAuthority();
    const { service } = await openService({ authority, keepLentTokens });
    await service.startLogin({ type: "apiKey", apiKey: "sk-stored" });
    await service.lendTokens(await lend(authority), silent);
    expect((await service.read()).account?.type).toBe("chatgpt");
    await service.releaseOwner(silent);
    expect((await service.read()).account?.type).toBe(after);
  });

  it("are not ended by a client that did not lend them", async () => {
    const authority = await openAuthority();
    const { service } = await openService({ authority });
    await service.lendTokens(await lend(authority), silent);
    await service.releaseOwner(owner(() => Promise.reject(new Error("other"))));
    expect((await service.read()).account?.type).toBe("chatgpt");
  });

  it("are refreshed by their owner ahead of expiry", async () => {
    const authority = await openAuthority();
    const { service } = await openService({ authority });
    const second = await lend(authority);
    const asked = Promise.withResolvers<unknown>();
    const first = await lend(authority, 6);
    await service.lendTokens(
      first,
      owner((ask) => {
        asked.resolve(ask);
        return Promise.resolve({ ...second, chatgptPlanType: "pro" });
      }),
    );
    expect(await asked.promise).toEqual({
      reason: "unauthorized",
      previousAccountId: authority.account.accountId,
    });
    await expect
      .poll(async () => (await authStatus(service)).authToken, { timeout: 10_000 })
      .toBe(second.accessToken);
  });

  it.each([
    {
      title: "with the client's own words",
      refusal: { code: -32000, message: "user signed out" },
      warning: "auth refresh request failed: code=-32000 (user signed out)",
    },
    {
      title: "without what looks like a secret",
      refusal: { code: 7, message: "no: eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl" },
      warning: "auth refresh request failed: code=7 (no: ***)",
    },
    {
      title: "if the answer is not one",
      answer: { accessToken: 5 },
      warning: "invalid auth refresh response",
    },
    {
      title: "if the token is not a JWT",
      answer: { accessToken: "opaque", chatgptAccountId: "acct" },
      warning: "auth refresh returned invalid credentials",
    },
  ])("a refusal is reported $title", async ({ answer, refusal, warning }) => {
    const authority = await openAuthority();
    authority.behave("unknown", { status: 401 });
    const { service, warnings } = await openService({ authority });
    await service.lendTokens(
      await lend(authority),
      owner(() => (refusal === undefined ? Promise.resolve(answer) : Promise.reject(refusal))),
    );
    await expect(service.rateLimits()).rejects.toMatchObject({
      code: "APP_SERVER_BACKEND_REQUEST_FAILED",
    });
    expect(warnings.join("\n")).toContain(warning);
  });
});

it("clients cannot change what the host configured", async () => {
  const authority = await openAuthority();
  const { service } = await openService({ authority, hostOwnsAuth: true });
  const refusal = { code: "APP_SERVER_HOST_OWNS_AUTH" };
  await expect(service.startLogin({ type: "apiKey", apiKey: "sk-1" })).rejects.toMatchObject(
    refusal,
  );
  await expect(service.startLogin({ type: "chatgptDeviceCode" })).rejects.toMatchObject(refusal);
  await expect(service.logout()).rejects.toMatchObject(refusal);
});

it("two services in one process share nothing", async () => {
  const authority = await openAuthority();
  const one = await openService({ authority });
  const two = await openService({ authority });
  await one.service.startLogin({ type: "apiKey", apiKey: "sk-one" });
  const pending = await one.service.startLogin({ type: "chatgpt" });
  await two.service.startLogin({ type: "chatgpt" });
  await eventually(one.events, 2);
  const loginId = pending.type === "chatgpt" ? pending.loginId : "";
  expect(await two.service.cancelLogin(loginId)).toEqual({ status: "notFound" });
  expect(await one.service.cancelLogin(loginId)).toEqual({ status: "canceled" });
  expect(two.events).toEqual([]);
  expect((await two.service.read()).account).toBeNull();
  await rm(join(one.home, "auth.json"));
});

it("tokens lent to one service are not those of the other, and its logout does not end them", async () => {
  const authority = await openAuthority();
  const one = await openService({ authority });
  const two = await openService({ authority });
  const lender = owner(() => new Promise(() => {}));
  const tokens = await lend(authority);
  await one.service.lendTokens(tokens, lender);
  await eventually(one.events, 1);
  expect((await two.service.read()).account).toBeNull();
  await two.service.logout();
  await two.service.releaseOwner(lender);
  expect((await authStatus(one.service)).authToken).toBe(tokens.accessToken);
  expect((await authStatus(two.service)).authToken).toBeNull();
});

it("services of two authorities send each token only to its own", async () => {
  const authorities = [await openAuthority(), await openAuthority()];
  const tokens = await Promise.all(authorities.map((authority) => lend(authority)));
  for (const [index, authority] of authorities.entries()) {
    const { service } = await openService({ authority });
    await service.lendTokens(
      tokens[index] ?? { accessToken: "", chatgptAccountId: "" },
      owner(() => Promise.reject(new Error("no"))),
    );
    await expect(service.rateLimits()).rejects.toMatchObject({ status: 404 });
  }
  for (const [index, authority] of authorities.entries()) {
    const sent = authority.requests.flatMap(({ headers }) => headers["authorization"] ?? []);
    expect(new Set(sent)).toEqual(new Set([`Bearer ${tokens[index]?.accessToken}`]));
  }
});

describe("forced refreshes of a client that asks in a loop", () => {
  it.each([
    { title: "account/read", calls: 20, expected: 3 },
    { title: "three calls in a row", calls: 3, expected: 3 },
  ])("$title: $expected refreshes for $calls calls", async ({ calls, expected }) => {
    const authority = await openAuthority();
    const home = await openHome();
    await signIn(home, authority);
    const { service } = await openService({ authority, home });
    for (let call = 0; call < calls; call++)
      expect((await service.read({ refreshToken: true })).account?.type).toBe("chatgpt");
    expect(authority.count("refresh")).toBe(expected);
  });

  it("a new sign-in is refreshed again", async () => {
    const authority = await openAuthority();
    const home = await openHome();
    await signIn(home, authority);
    const { events, service } = await openService({ authority, home });
    for (let call = 0; call < 5; call++) await service.read({ refreshToken: true });
    const before = events.length;
    await signIn(home, authority);
    await eventually(events, before + 1);
    await service.read({ refreshToken: true });
    expect(authority.count("refresh")).toBe(4);
  });
});

const lendToEnterprise = async (status: number) => {
  const authority = await startTestAuthority({
    account: { planType: "enterprise", accountId: "acct-1", email: "user@example.test" },
  });
  onTestFinished(() => authority.close());
  authority.behave("configBundle", {
    status,
    body: { config_toml: null, requirements_toml: null },
  });
  const { events, service } = await openService({ authority });
  const { accessToken } = await authority.mintChatgptTokens();
  await service.lendTokens(
    { accessToken, chatgptAccountId: "acct-1" },
    owner(() => Promise.reject(new Error())),
  );
  return { events, service };
};

describe("lent tokens of a workspace with a managed configuration", () => {
  it("are complete when it was loaded", async () => {
    const { events } = await lendToEnterprise(200);
    await eventually(events, 2);
    expect(events).toEqual([
      {
        method: "account/login/completed",
        params: { loginId: null, success: true, error: null, onboardingEntrypoint: null },
      },
      updated("chatgptAuthTokens", "enterprise"),
    ]);
  });

  it.each([403, 400])("failed if it cannot be loaded (%s)", async (status) => {
    const { events, service } = await lendToEnterprise(status);
    await eventually(events, 1);
    expect(events).toEqual([
      {
        method: "account/login/completed",
        params: {
          loginId: null,
          success: false,
          error: expect.stringMatching(/^failed to load workspace requirements: .*status 40[03]/u),
          onboardingEntrypoint: null,
        },
      },
    ]);
    expect((await service.read()).accountUnavailable?.reason).toBe("unusable");
  });
});
