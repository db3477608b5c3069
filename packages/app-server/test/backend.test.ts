import { networkInterfaces } from "node:os";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { AppServerClient } from "../src/client/index.ts";
import { type BackendCase, switchCases, usageCases } from "./support/backend-cases.ts";
import { missingCodex, startCodexServer } from "./support/codex.ts";
import { clientInfo, connect, experimental } from "./support/connect.ts";
import { openHome } from "./support/home.ts";
import { openService } from "./support/service.ts";

const json = (status: number, body: unknown) => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

const openAuthority = async (): Promise<TestAuthority> => {
  const authority = await startTestAuthority({
    tls: "self-signed",
    account: {
      accountId: "acct-1",
      userId: "user-1",
      email: "user@example.test",
      planType: "pro",
      workspaceName: "Lab",
    },
  });
  onTestFinished(() => authority.close());
  return authority;
};

const authJsonOf = async (authority: TestAuthority) => {
  const tokens = await authority.mintChatgptTokens({
    accessTokenClaims: { email: authority.account.email },
  });
  return {
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens: {
      id_token: tokens.idToken,
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      account_id: tokens.accountId,
    },
    last_refresh: new Date().toISOString(),
  };
};

/** A client of this server, in which the authority's account is signed in. */
const openOurs = async (authority: TestAuthority): Promise<AppServerClient> => {
  const home = await openHome();
  await writeFile(join(home, "auth.json"), JSON.stringify(await authJsonOf(authority)), {
    mode: 0o600,
  });
  const certificate = join(home, "authority.pem");
  await writeFile(certificate, authority.certificate ?? "");
  const { service } = await openService({
    authority,
    home,
    variables: { CODEX_CA_CERTIFICATE: certificate },
  });
  const client = connect(service);
  await client.initialize({ clientInfo, capabilities: experimental });
  return client;
};

/** A client of the real Codex, in which the authority's account is signed in. */
const openCodex = async (authority: TestAuthority): Promise<AppServerClient> => {
  const server = await startCodexServer(authority, {
    authJson: await authJsonOf(authority),
    variables: { CODEX_APP_SERVER_LOGIN_ISSUER: authority.issuer },
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server.client;
};

const answerOf = (
  authority: TestAuthority,
  client: AppServerClient,
  { method, params, routes }: BackendCase,
): Promise<unknown> => {
  authority.resetBehaviour("unknown");
  authority.behave("unknown", {
    respond: ({ path }) => {
      const found = Object.entries(routes).find(([end]) => path.endsWith(end))?.[1];
      return found === undefined ? json(404, {}) : json(found.status ?? 200, found.body);
    },
  });
  return client.request(method, params);
};

/** The error, or the parameters of the sign-in page that the workspace decides, after the login was cancelled. */
const switchTo = async (
  authority: TestAuthority,
  client: AppServerClient,
  { allowBrowserLogin, workspaces }: (typeof switchCases)[number],
): Promise<unknown> => {
  authority.resetBehaviour("accountsCheck");
  authority.behave("accountsCheck", { respond: () => json(200, { accounts: workspaces }) });
  const request = { sessionId: "user-1", accountId: "acct-2", allowBrowserLogin };
  try {
    const started = await client.call("accountSession/switch", request);
    if (!("authUrl" in started)) return started;
    await client.call("account/login/cancel", { loginId: started.loginId });
    const names = ["allowed_workspace_id", "current_workspace_id", "login_hint", "connection"];
    const query = [...new URL(started.authUrl).searchParams];
    return Object.fromEntries(query.filter(([name]) => names.includes(name)));
  } catch (error) {
    return error instanceof Error && "text" in error ? error.text : error;
  }
};

describe("what the account's backend answers", () => {
  it.each(usageCases)("$title", async (one) => {
    const authority = await openAuthority();
    expect(await answerOf(authority, await openOurs(authority), one)).toEqual(one.expected);
  });

  it("is asked for Luna Reserve if the client supports it", async () => {
    const authority = await openAuthority();
    const client = await openOurs(authority);
    const asked: Array<unknown> = [];
    authority.behave("unknown", {
      respond: ({ headers }) => {
        asked.push(headers["x-openai-codex-luna-reserve"]);
        return json(200, { plan_type: "pro" });
      },
    });
    const params = { excludeResetCreditDetails: true };
    await client.request("account/rateLimits/read", { ...params, supportsLunaReserve: true });
    await client.request("account/rateLimits/read", params);
    expect(asked).toEqual(["true", undefined]);
  });

  it("a thread id must be a UUID", async () => {
    const authority = await openAuthority();
    const client = await openOurs(authority);
    await expect(client.request("account/usage/read", { threadId: "nope" })).rejects.toMatchObject({
      rpcCode: -32600,
      text: "invalid thread id: nope",
    });
  });
});

describe("a switch to", () => {
  it.each(switchCases)("$title", async (one) => {
    const authority = await openAuthority();
    expect(await switchTo(authority, await openOurs(authority), one)).toEqual(one.expected);
  });
});

// Its browser logins take the ports 1455 and 1457, which tests of other packages use.
const isAlone = Object.values(networkInterfaces())
  .flat()
  .every((address) => address?.internal !== false);
const reason = missingCodex ?? (isAlone ? undefined : "not in a separate network namespace");
if (reason !== undefined) console.warn(`skipped, the same with real Codex: ${reason}`);

describe.skipIf(reason !== undefined)("the real Codex", () => {
  it("answers all of these in the same way", { timeout: 120_000 }, async () => {
    const authority = await openAuthority();
    const client = await openCodex(authority);
    const found: Array<unknown> = [];
    for (const one of usageCases) found.push(await answerOf(authority, client, one));
    for (const one of switchCases) found.push(await switchTo(authority, client, one));
    const expected = [...usageCases, ...switchCases].map((one) => one.expected);
    expect(found).toEqual(expected);
  });
});
