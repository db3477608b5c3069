import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  chatgptDocument,
  openAuthority,
  openHome,
  secret,
  withManager,
  type ManagerSetup,
} from "./fixture.ts";

/** A system folder with these files. */
const machine = async (files: Readonly<Record<string, string>>): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "etc-codex-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  for (const [name, text] of Object.entries(files))
    await writeFile(join(folder, name), text, { mode: 0o644 });
  return folder;
};

const requirements = (text: string) => machine({ "requirements.toml": text });

const failure = (setup: ManagerSetup) =>
  withManager(setup, (manager) => Effect.flip(manager.current));

const onlyApi = 'allowed_login_methods = ["api"]';
const onlyChatgpt = 'allowed_login_methods = ["chatgpt"]';
const onlyWorkspace9 = 'allowed_chatgpt_workspaces = ["ws-9"]';

describe("a stored credential that an administrator forbids is kept and not used", () => {
  it.each([
    ["an API key", onlyChatgpt, "does not allow API keys", "key"],
    ["a ChatGPT sign-in", onlyApi, "does not allow ChatGPT sign-ins and access tokens", "chatgpt"],
    ["another workspace", onlyWorkspace9, "does not allow workspace ws-1", "chatgpt"],
    [
      "every workspace",
      "allowed_chatgpt_workspaces = []",
      "does not allow workspace ws-1",
      "chatgpt",
    ],
  ])("%s: %s", async (_, rule, text, kind) => {
    const home = await openHome();
    const authority = await openAuthority({ account: { accountId: "ws-1" } });
    await home.write(
      kind === "key" ? { OPENAI_API_KEY: "sk-stored" } : await chatgptDocument(authority),
    );
    const written = await home.read();
    const systemFolder = await requirements(rule);
    const where = join(systemFolder, "requirements.toml");
    const error = await failure({ home, authority, systemFolder });
    expect(error).toMatchObject({
      code: "LOGIN_FORBIDDEN_BY_ADMINISTRATOR",
      message: `${rule.split(" = ")[0]} in ${where} ${text}`,
      remedy: "contactAdmin",
      hint: expect.stringContaining("The stored credential was kept and not used."),
    });
    expect(await home.read()).toEqual(written);
    expect(authority.requests).toEqual([]);
  });

  it.each(["managed_config.toml", "config.toml"])(
    "also by a forced_… key in the system's %s",
    async (name) => {
      const home = await openHome();
      await home.write({ OPENAI_API_KEY: "sk-stored" });
      const systemFolder = await machine({ [name]: 'forced_login_method = "chatgpt"' });
      const error = await failure({ home, systemFolder });
      expect(error.message).toBe(
        `forced_login_method in ${join(systemFolder, name)} does not allow API keys`,
      );
      expect(home.isSignedIn()).toBe(true);
    },
  );

  it("whereas one that the user's own configuration forbids is removed", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const systemFolder = await requirements("");
    const config = ["forced_login_method=chatgpt"];
    const error = await failure({ home, systemFolder, config });
    expect(error.code).toBe("LOGIN_CREDENTIAL_FORBIDDEN");
    expect(home.isSignedIn()).toBe(false);
  });

  it("after a refresh as well", async () => {
    const home = await openHome();
    const authority = await openAuthority({ account: { accountId: "ws-1" } });
    await home.write(await chatgptDocument(authority, { expiresInSeconds: 1 }));
    const systemFolder = await requirements(onlyApi);
    const error = await failure({ home, authority, systemFolder });
    expect(error.code).toBe("LOGIN_FORBIDDEN_BY_ADMINISTRATOR");
    expect(home.isSignedIn()).toBe(true);
    expect(authority.count("refresh")).toBe(0);
  });
});

describe("a credential of the environment that an administrator forbids", () => {
  it("is an error, and no other source is asked", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority));
    const systemFolder = await requirements(onlyChatgpt);
    const env = { CODEX_API_KEY: "sk-environment" };
    const error = await failure({ home, authority, systemFolder, env });
    expect(error).toMatchObject({
      code: "LOGIN_FORBIDDEN_BY_ADMINISTRATOR",
      hint: "Unset or replace CODEX_API_KEY, or ask your administrator (allowed: chatgpt).",
    });
    expect(authority.requests).toEqual([]);
  });

  it("is an error for a personal access token of another workspace", async () => {
    const home = await openHome();
    const authority = await openAuthority({ account: { accountId: "ws-1" } });
    const systemFolder = await requirements(onlyWorkspace9);
    const env = { CODEX_ACCESS_TOKEN: authority.mintPersonalAccessToken() };
    const error = await failure({ home, authority, systemFolder, env });
    expect(error.message).toContain("does not allow workspace ws-1");
  });

  it("is an error for an agent identity if only API keys are allowed", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const systemFolder = await requirements(onlyApi);
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt({}) };
    const error = await failure({ home, authority, systemFolder, env });
    expect(error.message).toContain("does not allow ChatGPT sign-ins and access tokens");
  });
});

describe("what an administrator allows is used", () => {
  it("an API key passes a rule about workspaces", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const systemFolder = await requirements(onlyWorkspace9);
    const found = await withManager({ home, systemFolder }, (manager) => manager.current);
    expect(Option.getOrThrow(found)._tag).toBe("ApiKey");
  });

  it("a sign-in of an allowed workspace, also beside the user's own list", async () => {
    const home = await openHome();
    const authority = await openAuthority({ account: { accountId: "ws-9" } });
    await home.write(await chatgptDocument(authority));
    const systemFolder = await requirements(onlyWorkspace9);
    const config = ['forced_chatgpt_workspace_id=["ws-1", "ws-9"]'];
    const setup = { home, authority, systemFolder, config };
    const found = await withManager(setup, (manager) => manager.current);
    expect(Option.getOrThrow(found)._tag).toBe("Chatgpt");
  });
});

describe("a login that an administrator forbids", () => {
  it.each([
    ["apiKey", onlyChatgpt, "API key login is disabled. Use ChatGPT login instead."],
    ["chatgpt", onlyApi, "ChatGPT login is disabled. Use API key login instead."],
    ["accessToken", onlyApi, "Access token login is disabled. Use API key login instead."],
    [
      "chatgpt",
      "allowed_chatgpt_workspaces = []",
      "Login is restricted, and no workspace is allowed.",
    ],
  ] as const)("is refused with Codex's text: %s by %s", async (method, rule, text) => {
    const home = await openHome();
    const systemFolder = await requirements(rule);
    const check = withManager({ home, systemFolder }, (manager) =>
      Effect.flip(manager.checkLogin(method)),
    );
    const error = await check;
    expect(error.message).toBe(text);
    expect(error.hint).toContain(
      `${rule.split(" = ")[0]} in ${join(systemFolder, "requirements.toml")} is a rule of your administrator.`,
    );
  });

  it("is refused for another workspace, and what was stored is kept", async () => {
    const home = await openHome();
    const authority = await openAuthority({ account: { accountId: "ws-1" } });
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const systemFolder = await requirements(onlyWorkspace9);
    const tokens = await authority.mintChatgptTokens();
    const error = await withManager({ home, authority, systemFolder }, (manager) =>
      Effect.flip(
        manager.loginWithChatgptTokens({
          idToken: secret(tokens.idToken),
          accessToken: secret(tokens.accessToken),
          refreshToken: secret(tokens.refreshToken),
        }),
      ),
    );
    expect(error).toMatchObject({
      code: "LOGIN_WORKSPACE_NOT_ALLOWED",
      message: "Login is restricted to workspace id(s) ws-9.",
      rule: {
        key: "allowed_chatgpt_workspaces",
        where: join(systemFolder, "requirements.toml"),
      },
    });
    expect((await home.read()).OPENAI_API_KEY).toBe("sk-stored");
  });
});

describe("inspect", () => {
  it("says which rule forbids the credential", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const systemFolder = await requirements(onlyChatgpt);
    const found = await withManager({ home, systemFolder }, (manager) => manager.inspect);
    expect(Option.getOrThrow(found).forbidden).toMatchObject({
      key: "allowed_login_methods",
      where: join(systemFolder, "requirements.toml"),
      kind: "ApiKey",
    });
  });
});
