import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "@agent-auth/login/config";
import { parseEnvironment } from "@agent-auth/login/config/environment";
import { createAuthManager } from "@agent-auth/login/promises";
import { startTestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { describe, expect, it, onTestFinished } from "vitest";
import { createAccountService } from "../src/promises/index.ts";
import type { TokenOwner } from "../src/service/index.ts";
import { openHome } from "./support/home.ts";

const owner = (name: string): TokenOwner => ({
  name,
  refresh: () => Promise.reject({ code: -32000, message: "no" }),
});

/** A service whose administrator allows one workspace, and tokens of that one and of another. */
const openRestricted = async (authJson?: object) => {
  const authority = await startTestAuthority();
  onTestFinished(() => authority.close());
  const home = await openHome();
  const systemFolder = join(home, "system");
  await mkdir(systemFolder);
  const rules = `allowed_chatgpt_workspaces = ["${authority.account.accountId}"]\n`;
  await writeFile(join(systemFolder, "requirements.toml"), rules);
  if (authJson !== undefined)
    await writeFile(join(home, "auth.json"), JSON.stringify(authJson), { mode: 0o600 });
  const environment = parseEnvironment({ CODEX_HOME: home });
  const config = await Effect.runPromise(
    loadConfig({
      ...environment,
      systemFolder,
      overrides: [`chatgpt_base_url=${authority.chatgptBaseUrl}`],
    }),
  );
  const manager = createAuthManager({ environment, config, environmentCredentials: false });
  onTestFinished(() => manager.close());
  const service = createAccountService(manager, { environment, config });
  onTestFinished(() => service.close());
  const tokensOf = async (account = authority.account) => {
    const { accessToken, accountId } = await authority.mintChatgptTokens({ account });
    return { accessToken: Redacted.make(accessToken), chatgptAccountId: accountId };
  };
  const forbidden = await tokensOf(authority.createAccount({ accountId: "acct-other" }));
  const lendForbidden = () =>
    service.lendTokens(forbidden, owner("hostile")).catch((error: unknown) => error);
  return { lendForbidden, service, tokensOf };
};

const refusal = { code: "APP_SERVER_EXTERNAL_WORKSPACE_NOT_ALLOWED" };

describe("a client that lends tokens of a workspace that an administrator forbids", () => {
  it("does not take away the stored sign-in of the others", async () => {
    const stored = { auth_mode: "apikey", OPENAI_API_KEY: "sk-stored" };
    const { lendForbidden, service } = await openRestricted(stored);
    expect(await lendForbidden()).toMatchObject(refusal);
    expect((await service.read()).account).toEqual({ type: "apiKey" });
  });

  it("does not end the lending of another client", async () => {
    const { lendForbidden, service, tokensOf } = await openRestricted();
    const good = owner("good");
    await service.lendTokens(await tokensOf(), good);
    expect(await lendForbidden()).toMatchObject(refusal);
    expect((await service.read()).account).toMatchObject({ type: "chatgpt" });
    await expect(service.startLogin({ type: "chatgpt" })).rejects.toMatchObject({
      code: "APP_SERVER_EXTERNAL_AUTH_ACTIVE",
    });
    await service.releaseOwner(good);
    expect((await service.read()).accountUnavailable?.reason).toBe("signedOut");
  });

  it("leaves a service without a sign-in signed out", async () => {
    const { lendForbidden, service } = await openRestricted();
    expect(await lendForbidden()).toMatchObject(refusal);
    expect((await service.read()).accountUnavailable?.reason).toBe("signedOut");
  });
});
