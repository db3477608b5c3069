import { readFile } from "node:fs/promises";
import type { TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { describe, expect, it } from "vitest";
import type { AuthTokens } from "../../src/storage/auth-json/index.ts";
import { AuthManager, layer } from "../../src/manager/index.ts";
import { EphemeralStore, ephemeralStore } from "../../src/storage/ephemeral.ts";
import { HomeLock } from "../../src/storage/lock/index.ts";
import { locked } from "../support/lock.ts";
import {
  chatgptDocument,
  managerOptions,
  openAuthority,
  openHome,
  secret,
  withManager,
  type ManagerSetup,
} from "./fixture.ts";

const current = (setup: ManagerSetup) =>
  withManager(setup, (manager) => Effect.map(manager.current, Option.getOrNull));
const failure = (setup: ManagerSetup) =>
  withManager(setup, (manager) => Effect.flip(manager.current));

const mintRecord = async (authority: TestAuthority) => {
  const { account, agentRuntimeId, privateKey } = await authority.mintAgentIdentity();
  return {
    agent_runtime_id: agentRuntimeId,
    agent_private_key: privateKey,
    account_id: account.accountId,
    chatgpt_user_id: account.userId,
    plan_type: "pro",
    chatgpt_account_is_fedramp: true,
  };
};

describe("AuthManager.current", () => {
  it("is none if nothing is stored", async () => {
    expect(await current({ home: await openHome() })).toBeNull();
  });

  it("loads an API key from auth.json and sends nothing", async () => {
    const home = await openHome();
    await home.write({ auth_mode: "apikey", OPENAI_API_KEY: "sk-test" });
    const credential = await current({ home });
    expect(credential).toEqual({
      _tag: "ApiKey",
      apiKey: Redacted.make("sk-test", { label: "OPENAI_API_KEY" }),
      account: { isFedrampAccount: false },
      source: { _tag: "File", path: home.authJson },
    });
  });

  it("loads ChatGPT tokens with the account of the id token and the expiry of the access token", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const document = await chatgptDocument(authority);
    await home.write(document);
    const credential = await current({ home, authority });
    const { accountId, email, isFedrampAccount, planType, userId } = authority.account;
    expect(credential?._tag === "Chatgpt" && credential.account).toEqual({
      accountId,
      email,
      isFedrampAccount,
      planType,
      userId,
    });
    expect(credential?._tag === "Chatgpt" && credential.expiresAtMs).toBeGreaterThan(Date.now());
    expect(authority.requests).toHaveLength(0);
  });

  it("verifies an agent identity JWT and registers its task before it is asked for", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write({
      auth_mode: "agentIdentity",
      agent_identity: await authority.mintAgentIdentityJwt(),
    });
    const [credential, counts] = await withManager({ home, authority }, (manager) =>
      Effect.gen(function* () {
        const counts = [authority.count("jwks"), authority.count("registerTask")];
        yield* Effect.all([manager.current, manager.current], { concurrency: 2 });
        return [Option.getOrNull(manager.snapshot()), counts];
      }),
    );
    expect(counts).toEqual([1, 1]);
    expect(authority.requests).toHaveLength(2);
    expect(credential).toMatchObject({
      _tag: "AgentIdentity",
      form: "jwt",
      account: { accountId: authority.account.accountId, email: authority.account.email },
    });
  });

  it.each(["chatgpt", "chatgptAuthTokens", undefined])(
    "treats mode %s without tokens as an agent identity",
    async (auth_mode) => {
      const home = await openHome();
      const authority = await openAuthority();
      const jwt = await authority.mintAgentIdentityJwt({ design: "v1" });
      await home.write({ auth_mode, agent_identity: jwt });
      expect(await current({ home, authority })).toMatchObject({ _tag: "AgentIdentity" });
    },
  );

  it("loads a stored record without a JWKS, and uses its task as it is", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const agent_identity = { ...(await mintRecord(authority)), task_id: "task-7" };
    await home.write({ auth_mode: "agentIdentity", agent_identity });
    const stored = await current({ home, authority });
    expect(stored?._tag === "AgentIdentity" && stored.signer.taskId).toBe("task-7");
    expect(stored?.account.isFedrampAccount).toBe(true);
    expect(authority.requests).toHaveLength(0);
  });

  it("registers a task for a stored record whose own is blank", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const agent_identity = { ...(await mintRecord(authority)), task_id: " " };
    await home.write({ auth_mode: "agentIdentity", agent_identity });
    const registered = await current({ home, authority });
    expect(registered).toMatchObject({ _tag: "AgentIdentity", form: "record" });
    expect(authority.requests.map((request) => request.endpoint)).toEqual(["registerTask"]);
  });

  it("asks the accounts API whose personal access token it is", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write({ personal_access_token: authority.mintPersonalAccessToken() });
    expect(await current({ home, authority })).toMatchObject({
      _tag: "PersonalAccessToken",
      account: { accountId: authority.account.accountId, email: authority.account.email },
    });
    expect(authority.count("whoami")).toBe(1);
  });
});

describe("order of sources", () => {
  it("goes from CODEX_API_KEY over CODEX_AGENT_IDENTITY and CODEX_ACCESS_TOKEN to the store", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write({ auth_mode: "apikey", OPENAI_API_KEY: "sk-stored" });
    const env: Record<string, string> = {
      CODEX_API_KEY: "sk-environment",
      CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt(),
      CODEX_ACCESS_TOKEN: authority.mintPersonalAccessToken(),
    };
    const seen: Array<unknown> = [];
    for (const name of [...Object.keys(env), "none"]) {
      const credential = await current({ home, authority, env });
      seen.push([credential?._tag, credential?.source]);
      delete env[name];
    }
    expect(seen).toEqual([
      ["ApiKey", { _tag: "Environment", variable: "CODEX_API_KEY" }],
      ["AgentIdentity", { _tag: "Environment", variable: "CODEX_AGENT_IDENTITY" }],
      ["PersonalAccessToken", { _tag: "Environment", variable: "CODEX_ACCESS_TOKEN" }],
      ["ApiKey", { _tag: "File", path: home.authJson }],
    ]);
  });

  it("ignores CODEX_API_KEY and CODEX_AGENT_IDENTITY if the caller does not enable them", async () => {
    const home = await openHome();
    await home.write({ auth_mode: "apikey", OPENAI_API_KEY: "sk-stored" });
    const credential = await current({
      home,
      env: { CODEX_API_KEY: "sk-environment", CODEX_AGENT_IDENTITY: "x.y.z" },
      options: { environmentCredentials: false },
    });
    expect(credential?.source).toEqual({ _tag: "File", path: home.authJson });
  });

  it("asks the memory of the process for external tokens before CODEX_ACCESS_TOKEN", async () => {
    const home = await openHome();
    const tokens: AuthTokens = {
      idToken: secret("external"),
      accessToken: secret("external"),
      refreshToken: secret(""),
      accountId: "acct-1",
    };
    const options = await managerOptions({ home, env: { CODEX_ACCESS_TOKEN: "at-weaker" } });
    const save = EphemeralStore.use((store) =>
      store.save({ authMode: "chatgptAuthTokens", tokens }),
    ).pipe(locked, Effect.provide(HomeLock.layerMemory));
    const load = AuthManager.use((manager) => manager.current).pipe(
      Effect.provide(layer({ ...options, loadAtStart: false })),
    );
    const found = Effect.provide(Effect.andThen(save, load), ephemeralStore);
    const credential = Option.getOrNull(await Effect.runPromise(found));
    expect(credential).toMatchObject({
      _tag: "ExternalChatgpt",
      account: { accountId: "acct-1" },
      source: { _tag: "Ephemeral" },
    });
    expect(home.isSignedIn()).toBe(false);
  });

  it("asks memory before CODEX_ACCESS_TOKEN if that is the configured store", async () => {
    const home = await openHome();
    const setup = {
      home,
      env: { CODEX_ACCESS_TOKEN: "at-weaker" },
      config: ["cli_auth_credentials_store=ephemeral"],
    };
    const [login, reloaded] = await withManager(
      { ...setup, options: { loadAtStart: false } },
      (manager) => Effect.all([manager.loginWithApiKey(secret("sk-in-memory")), manager.reload]),
    );
    const expected = { _tag: "ApiKey", source: { _tag: "Ephemeral" } };
    expect(login).toMatchObject(expected);
    expect(Option.getOrNull(reloaded)).toMatchObject(expected);
    expect(home.isSignedIn()).toBe(false);
  });

  it("treats CODEX_ACCESS_TOKEN as a JWT unless it begins with at-", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const env = { CODEX_ACCESS_TOKEN: await authority.mintAgentIdentityJwt() };
    expect(await current({ home, authority, env })).toMatchObject({ _tag: "AgentIdentity" });
  });

  it("stops at a broken source and asks no weaker one", async () => {
    const home = await openHome();
    await home.write({ auth_mode: "apikey", OPENAI_API_KEY: "sk-stored" });
    const error = await failure({ home, env: { CODEX_AGENT_IDENTITY: "no jwt" } });
    expect(error.code).toBe("AGENT_IDENTITY_JWT_FORMAT_INVALID");
  });
});

describe("an unusable credential", () => {
  it.each([
    ["{}", "it holds neither an API key, nor tokens, nor an agent identity"],
    ['{"auth_mode":"chatgpt"}', "it holds neither an API key, nor tokens, nor an agent identity"],
    ['{"auth_mode":"chatgptAuthTokens"}', "it holds neither tokens nor an agent identity"],
    ['{"auth_mode":"apikey"}', "auth_mode is apikey, but OPENAI_API_KEY is missing"],
    ['{"OPENAI_API_KEY":""}', "the API key is empty"],
    ['{"auth_mode":"agentIdentity"}', "auth_mode is agentIdentity, but agent_identity is missing"],
    [
      '{"auth_mode":"personalAccessToken"}',
      "auth_mode is personalAccessToken, but personal_access_token is missing",
    ],
    [
      '{"tokens":{"id_token":"x","access_token":"y","refresh_token":"z"}}',
      "tokens.id_token: invalid ID token format",
    ],
  ])("refuses %s and leaves it as it is", async (text, reason) => {
    const home = await openHome();
    await home.write(text);
    const error = await failure({ home });
    expect(error).toMatchObject({
      code: "LOGIN_CREDENTIAL_UNUSABLE",
      message: `${home.authJson}: ${reason}`,
    });
    expect(await readFile(home.authJson, "utf8")).toBe(text);
  });

  it("refuses an agent_identity string that is not a JWT, and deletes nothing", async () => {
    const home = await openHome();
    await home.write('{"agent_identity":"not a jwt"}');
    expect((await failure({ home })).message).toContain("invalid ID token format");
    expect(home.isSignedIn()).toBe(true);
  });

  it("is an error for every caller until a reload", async () => {
    const home = await openHome();
    await home.write("{}");
    const seen = await withManager({ home }, (manager) =>
      Effect.gen(function* () {
        const first = yield* Effect.flip(manager.current);
        yield* Effect.promise(() => home.write({ OPENAI_API_KEY: "sk-repaired" }));
        const second = yield* Effect.flip(manager.current);
        const snapshot = manager.snapshot();
        const reloaded = yield* manager.reload;
        return { same: first === second, snapshot, reloaded, after: manager.snapshot() };
      }),
    );
    expect(seen.same).toBe(true);
    expect(Option.isNone(seen.snapshot)).toBe(true);
    expect(Option.getOrNull(seen.reloaded)).toMatchObject({ _tag: "ApiKey" });
    expect(seen.after).toEqual(seen.reloaded);
  });

  it.each([
    [401, "LOGIN_PERSONAL_ACCESS_TOKEN_REJECTED"],
    [500, "LOGIN_PERSONAL_ACCESS_TOKEN_LOOKUP_FAILED"],
  ])("reports whether a personal access token was rejected with %i", async (status, code) => {
    const home = await openHome();
    const authority = await openAuthority();
    authority.behave("whoami", { status });
    const env = { CODEX_ACCESS_TOKEN: "at-any" };
    expect((await failure({ home, authority, env })).code).toBe(code);
  });
});
