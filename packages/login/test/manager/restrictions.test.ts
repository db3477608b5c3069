import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { describe, expect, it } from "vitest";
import { AuthManager, layerNoDeps } from "../../src/manager/index.ts";
import { layer as storeLayer } from "../../src/storage/configured.ts";
import { HomeLock } from "../../src/storage/lock/index.ts";
import { layer as httpLayer } from "../../src/http/index.ts";
import {
  chatgptDocument,
  managerOptions,
  openAuthority,
  openHome,
  secret,
  withManager,
  type Home,
  type ManagerSetup,
} from "./fixture.ts";

const failure = (setup: ManagerSetup) =>
  withManager(setup, (manager) => Effect.flip(manager.current));
const workspaceClaim = (id: string) => ({
  "https://api.openai.com/auth": { chatgpt_account_id: id },
});
const onlyWorkspaces = (...ids: ReadonlyArray<string>) => [
  `forced_chatgpt_workspace_id=${JSON.stringify(ids)}`,
];

describe("restrictions at start-up", () => {
  it("log out of a ChatGPT sign-in if an API key is required", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority));
    const error = await failure({ home, authority, config: ["forced_login_method=api"] });
    expect(error).toMatchObject({
      code: "LOGIN_CREDENTIAL_FORBIDDEN",
      message: "API key login is required, but ChatGPT is currently being used. Logging out.",
      loggedOut: true,
    });
    expect(home.isSignedIn()).toBe(false);
  });

  it("log out of an API key if ChatGPT is required", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const error = await failure({ home, config: ["forced_login_method=chatgpt"] });
    expect(error.message).toBe(
      "ChatGPT login is required, but an API key is currently being used. Logging out.",
    );
    expect(home.isSignedIn()).toBe(false);
  });

  it("refuse a credential of the environment and touch nothing on disk on its account", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const error = await failure({
      home,
      env: { CODEX_API_KEY: "sk-environment" },
      config: ["forced_login_method=chatgpt"],
    });
    expect(error).toMatchObject({
      message: "ChatGPT login is required, but an API key is currently being used. Logging out.",
      hint: "Unset or replace CODEX_API_KEY.",
      loggedOut: false,
    });
    expect(home.isSignedIn()).toBe(true);
  });

  it("name the workspace that is allowed and the one that is used", async () => {
    const home = await openHome();
    const authority = await openAuthority({ account: { accountId: "ws-mine" } });
    await home.write(await chatgptDocument(authority));
    const one = await failure({ home, authority, config: onlyWorkspaces("ws-a") });
    expect(one.message).toBe(
      "Login is restricted to workspace ws-a, but current credentials belong to ws-mine. Logging out.",
    );
    await home.write(await chatgptDocument(authority));
    const two = await failure({ home, authority, config: onlyWorkspaces("ws-a", "ws-b") });
    expect(two.message).toBe(
      "Login is restricted to workspace(s) ws-a, ws-b, but current credentials belong to ws-mine. Logging out.",
    );
  });

  it("require a workspace even if the credential names none", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const document = await chatgptDocument(authority, {
      idTokenClaims: { "https://api.openai.com/auth": {} },
    });
    await home.write({ ...document, tokens: { ...document.tokens, account_id: undefined } });
    const error = await failure({ home, authority, config: onlyWorkspaces("ws-a") });
    expect(error.message).toBe(
      "Login is restricted to workspace ws-a, but current credentials lack a workspace identifier. Logging out.",
    );
  });

  it("require both workspaces to be allowed if account_id and id token differ", async () => {
    const home = await openHome();
    const authority = await openAuthority({ account: { accountId: "ws-token" } });
    const write = async () => {
      const document = await chatgptDocument(authority);
      await home.write({ ...document, tokens: { ...document.tokens, account_id: "ws-stored" } });
    };
    for (const [allowed, found] of [
      ["ws-stored", "ws-token"],
      ["ws-token", "ws-stored"],
    ] as const) {
      await write();
      const error = await failure({ home, authority, config: onlyWorkspaces(allowed) });
      expect(error.message).toContain(`belong to ${found}.`);
    }
    await write();
    await withManager(
      { home, authority, config: onlyWorkspaces("ws-stored", "ws-token") },
      (manager) => manager.current,
    );
    expect(home.isSignedIn()).toBe(true);
  });

  it.each(["chatgpt", "chatgptAuthTokens"])(
    "hold each token of a document in mode %s to the workspaces, not its account_id alone",
    async (mode) => {
      const home = await openHome();
      const authority = await openAuthority();
      const of = async (idToken: string, accessToken: string) => {
        const document = await chatgptDocument(authority, {
          idTokenClaims: workspaceClaim(idToken),
          accessTokenClaims: workspaceClaim(accessToken),
        });
        const tokens = { ...document.tokens, account_id: "ws-a" };
        await home.write({ ...document, auth_mode: mode, tokens });
        return { home, authority, config: onlyWorkspaces("ws-a") };
      };
      for (const [idToken, accessToken] of [
        ["ws-b", "ws-a"],
        ["ws-a", "ws-b"],
      ] as const) {
        const error = await failure(await of(idToken, accessToken));
        expect(error.message).toContain("belong to ws-b.");
        expect(home.isSignedIn()).toBe(false);
      }
      await withManager(await of("ws-a", "ws-a"), (manager) => manager.current);
      expect(home.isSignedIn()).toBe(true);
    },
  );

  it("let an API key pass a workspace restriction, and hold a personal access token to it", async () => {
    const home = await openHome();
    const authority = await openAuthority({ account: { accountId: "ws-mine" } });
    const config = onlyWorkspaces("ws-a");
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    await withManager({ home, config }, (manager) => manager.current);
    expect(home.isSignedIn()).toBe(true);
    await home.write({ personal_access_token: authority.mintPersonalAccessToken() });
    expect((await failure({ home, authority, config })).code).toBe("LOGIN_CREDENTIAL_FORBIDDEN");
    expect(home.isSignedIn()).toBe(false);
  });

  it("hold an agent identity of a self-hosted backend to its workspace", async () => {
    const home = await openHome();
    const authority = await openAuthority({ account: { accountId: "ws-mine" } });
    await home.write({ agent_identity: await authority.mintAgentIdentityJwt({ design: "v1" }) });
    const error = await failure({ home, authority, config: onlyWorkspaces("ws-a") });
    expect(error.message).toContain("workspace ws-a, but current credentials belong to ws-mine");
  });
});

describe("restrictions and a sign-in of another process", () => {
  const other = { auth_mode: "apikey", OPENAI_API_KEY: "sk-other" };

  /** As the lock of the home, but another process signs in right before it is taken for that time. */
  const contendedLock = (home: Home, contendedTurn: number) =>
    Layer.effect(
      HomeLock,
      Effect.map(HomeLock, (lock) => {
        const { withLock } = lock;
        let turns = 0;
        return {
          ...lock,
          withLock: (effect) =>
            Effect.suspend(() => {
              turns += 1;
              return turns === contendedTurn
                ? Effect.andThen(
                    Effect.promise(() => home.write(other)),
                    withLock(effect),
                  )
                : withLock(effect);
            }),
        };
      }),
    );

  const failureUnderContention = async (setup: ManagerSetup, contendedTurn: number) => {
    const options = await managerOptions(setup);
    const { codexHome } = options.environment;
    const layer = layerNoDeps(options).pipe(
      Layer.provide([contendedLock(setup.home, contendedTurn), httpLayer(options.environment)]),
      Layer.provide(storeLayer({ mode: "file", codexHome })),
    );
    return Effect.runPromise(
      AuthManager.use((manager) => Effect.flip(manager.current)).pipe(Effect.provide(layer)),
    );
  };

  it("keep it if it was stored after a forbidden one was loaded", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const config = ["forced_login_method=chatgpt"];
    const error = await failureUnderContention({ home, config }, 1);
    expect(error).toMatchObject({ code: "LOGIN_CREDENTIAL_FORBIDDEN", loggedOut: false });
    expect(await home.read()).toEqual(other);
  });

  it("keep it if it was stored after a refresh returned forbidden tokens", async () => {
    const home = await openHome();
    const authority = await openAuthority({ account: { accountId: "ws-a" } });
    await home.write(await chatgptDocument(authority, { expiresInSeconds: -10 }));
    const account = authority.createAccount({ accountId: "ws-b" });
    const { accessToken, idToken } = await authority.mintChatgptTokens({ account });
    const body = { access_token: accessToken, id_token: idToken };
    authority.behave("refresh", { status: 200, body });
    // The refresh takes the lock before it spends the token and to store the new one, the removal takes it after that.
    const setup = { home, authority, config: onlyWorkspaces("ws-a") };
    const error = await failureUnderContention(setup, 3);
    expect(error).toMatchObject({ code: "LOGIN_CREDENTIAL_FORBIDDEN", loggedOut: false });
    expect(await home.read()).toEqual(other);
  });
});

describe("restrictions on external tokens", () => {
  it("refuse them, and forget the provider", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const externalProvider = {
      name: "the editor",
      tokens: () => Effect.succeed({ accessToken: secret("t-1"), accountId: "ws-theirs" }),
    };
    const outcome = await withManager(
      { home, config: onlyWorkspaces("ws-a"), options: { externalProvider } },
      (manager) => Effect.all([Effect.flip(manager.current), manager.reload]),
    );
    expect(outcome[0]).toMatchObject({
      code: "LOGIN_CREDENTIAL_FORBIDDEN",
      message:
        "Login is restricted to workspace ws-a, but current credentials belong to ws-theirs. Logging out.",
    });
    expect(Option.isNone(outcome[1])).toBe(true);
    expect(home.isSignedIn()).toBe(false);
  });
});

describe("restrictions before a login is saved", () => {
  it.each([
    ["chatgpt", "loginWithApiKey", "API key login is disabled. Use ChatGPT login instead."],
    ["api", "loginWithAccessToken", "Access token login is disabled. Use API key login instead."],
  ] as const)(
    "forced method %s refuses %s before looking at the secret",
    async (method, verb, text) => {
      const home = await openHome();
      const error = await withManager(
        { home, config: [`forced_login_method=${method}`] },
        (manager) => Effect.flip(manager[verb](secret("anything at all"))),
      );
      expect(error.message).toBe(text);
    },
  );

  it("refuse ChatGPT tokens if an API key is required", async () => {
    const home = await openHome();
    const tokens = { idToken: secret(""), accessToken: secret(""), refreshToken: secret("") };
    const error = await withManager({ home, config: ["forced_login_method=api"] }, (manager) =>
      Effect.flip(manager.loginWithChatgptTokens(tokens)),
    );
    expect(error.message).toBe("ChatGPT login is disabled. Use API key login instead.");
  });

  it("refuse ChatGPT tokens whose access token is of another workspace than the id token", async () => {
    const home = await openHome();
    const authority = await openAuthority({ account: { accountId: "ws-a" } });
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const { idToken, refreshToken } = await authority.mintChatgptTokens();
    const other = authority.createAccount({ accountId: "ws-b" });
    const { accessToken } = await authority.mintChatgptTokens({ account: other });
    const tokens = {
      idToken: secret(idToken),
      accessToken: secret(accessToken),
      refreshToken: secret(refreshToken),
    };
    const error = await withManager(
      { home, authority, config: onlyWorkspaces("ws-a") },
      (manager) => Effect.flip(manager.loginWithChatgptTokens(tokens)),
    );
    expect(error.code).toBe("LOGIN_WORKSPACE_NOT_ALLOWED");
    expect((await home.read()).OPENAI_API_KEY).toBe("sk-stored");
  });

  it("keep what is stored if the new sign-in is of another workspace", async () => {
    const home = await openHome();
    const authority = await openAuthority({ account: { accountId: "ws-mine" } });
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const jwt = await authority.mintAgentIdentityJwt();
    const pat = authority.mintPersonalAccessToken();
    for (const token of [jwt, pat]) {
      const error = await withManager(
        { home, authority, config: onlyWorkspaces("ws-a", "ws-b") },
        (manager) => Effect.flip(manager.loginWithAccessToken(secret(token))),
      );
      expect(error).toMatchObject({
        code: "LOGIN_WORKSPACE_NOT_ALLOWED",
        message: "Login is restricted to workspace id(s) ws-a, ws-b.",
      });
    }
    expect((await home.read()).OPENAI_API_KEY).toBe("sk-stored");
  });
});
