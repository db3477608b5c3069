import { inspect } from "node:util";
import { startTestAuthority } from "@agent-auth/test-authority";
import { expect, it } from "vitest";
import { connect, clientInfo, experimental } from "./support/connect.ts";
import { openHome, signIn } from "./support/home.ts";
import { eventually, openService } from "./support/service.ts";

it("secrets are in no notification, error or warning", async () => {
  await using authority = await startTestAuthority();
  const home = await openHome();
  const stored = await signIn(home, authority);
  const lent = await authority.mintChatgptTokens({ expiresInSeconds: 1 });
  const key = "sk-canary-0123456789abcdef";
  const { service, events, warnings } = await openService({ home, authority });
  const client = connect(service, { initialized: { clientInfo, capabilities: experimental } });
  const seen: Array<unknown> = [];
  const attempt = async (method: string, params?: unknown): Promise<void> => {
    try {
      seen.push(await client.request(method, params));
    } catch (error) {
      seen.push(inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error));
    }
  };
  client.handle("account/chatgptAuthTokens/refresh", () => {
    throw { code: -1, message: `no: ${lent.accessToken}` };
  });

  await attempt("account/read", { refreshToken: true });
  await attempt("getAuthStatus", { includeToken: false });
  authority.behave("refresh", { status: 400, body: { error: stored.refreshToken } });
  await attempt("account/read", { refreshToken: true });
  authority.behave("unknown", { status: 401, body: "rejected" });
  await attempt("account/rateLimits/read");
  await attempt("account/usage/read", {});
  await attempt("account/login/start", { type: "chatgpt" });
  const tokens = { accessToken: lent.accessToken, chatgptAccountId: lent.accountId };
  await attempt("account/login/start", { type: "chatgptAuthTokens", ...tokens });
  await attempt("account/rateLimits/read");
  await attempt("account/login/start", {
    type: "chatgptAuthTokens",
    ...tokens,
    accessToken: "opaque-canary-token-0123456789",
  });
  await attempt("account/logout");
  await attempt("account/login/start", { type: "apiKey", apiKey: `${key}\n${key}` });
  await attempt("account/login/start", { type: "apiKey", apiKey: key });
  await attempt("account/read", {});
  await eventually(events, 5);
  const all = JSON.stringify([seen, events, warnings, inspect(service, { depth: 9 })]);
  const secrets = [
    stored.accessToken,
    stored.refreshToken,
    stored.idToken,
    lent.accessToken,
    "opaque-canary-token-0123456789",
    key,
  ];
  for (const secret of secrets) expect(all).not.toContain(secret);
  expect(seen.length).toBeGreaterThan(12);
});
