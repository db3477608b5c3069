import { createAuthManager } from "@agent-auth/login/promises";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { lendSignIn } from "../src/host/index.ts";
import { clientInfo, connect, experimental } from "./support/connect.ts";
import { openHome, signIn } from "./support/home.ts";
import { openService } from "./support/service.ts";

/** A host with a sign-in, and a server that it lends it to. */
const open = async () => {
  const authority = await startTestAuthority();
  onTestFinished(() => authority.close());
  const home = await openHome();
  const tokens = await signIn(home, authority);
  const manager = createAuthManager({
    environmentCredentials: false,
    variables: {
      CODEX_HOME: home,
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token`,
    },
    configOverrides: [`chatgpt_base_url=${authority.chatgptBaseUrl}`],
    onWarning: () => {},
  });
  onTestFinished(() => manager.close());
  const server = await openService({ authority });
  const client = connect(server.service, {
    initialized: { clientInfo, capabilities: experimental },
  });
  return { authority, manager, client, tokens, ...server };
};

const tokenOf = async ({ service }: Pick<Awaited<ReturnType<typeof open>>, "service">) => {
  const { authToken } = await Effect.runPromise(service.effects.authStatus({ includeToken: true }));
  return authToken === null ? null : Redacted.value(authToken);
};

const rejectOnce = (authority: TestAuthority): void => {
  authority.behave("unknown", { status: 401 }, { times: 1 });
  authority.behave("unknown", { status: 404 }, { times: 1 });
};

describe("a lent sign-in", () => {
  it("is the server's account, and is not stored there", async () => {
    const { client, manager, service, tokens } = await open();
    await using _ = await lendSignIn(client, manager);
    expect((await client.call("account/read", {})).account?.type).toBe("chatgpt");
    expect(await tokenOf({ service })).toBe(tokens.accessToken);
  });

  it("is replaced at the server when the manager has a newer one", async () => {
    const { client, manager, service, tokens } = await open();
    await using _ = await lendSignIn(client, manager);
    await manager.refresh("proactive_expiry");
    await vi.waitFor(async () => {
      expect(await tokenOf({ service })).not.toBe(tokens.accessToken);
    });
  });

  it("is refreshed if the server's request gets a 401", async () => {
    const { authority, client, manager, service, tokens } = await open();
    await using _ = await lendSignIn(client, manager);
    authority.expireAccessToken(tokens.accessToken);
    rejectOnce(authority);
    await service.rateLimits().catch(() => undefined);
    expect(authority.count("refresh")).toBe(1);
    expect(await tokenOf({ service })).not.toBe(tokens.accessToken);
  });

  it("is refused after the host has signed out", async () => {
    const { client, manager, service } = await open();
    await using _ = await lendSignIn(client, manager);
    await manager.logout();
    await expect(service.rateLimits()).rejects.toMatchObject({
      code: "LOGIN_EXTERNAL_PROVIDER_FAILED",
      reason: "auth refresh request failed: code=-32000 (the host has signed out)",
    });
  });

  it("is not refused by a client that has closed it: it stays silent", async () => {
    const { client, manager } = await open();
    const lent = await lendSignIn(client, manager);
    await lent.close();
    await manager.refresh("proactive_expiry");
    expect((await client.call("account/read", {})).account?.type).toBe("chatgpt");
  });

  it.each([
    { title: "without a sign-in", key: undefined, kind: null },
    { title: "with an API key", key: "sk-1", kind: "ApiKey" },
  ])("cannot be lent $title", async ({ key, kind }) => {
    const { client, manager } = await open();
    await manager.logout();
    if (key !== undefined) await manager.loginWithApiKey(key);
    await expect(lendSignIn(client, manager)).rejects.toMatchObject({
      code: "APP_SERVER_HOST_NOT_SIGNED_IN",
      kind,
    });
  });
});
