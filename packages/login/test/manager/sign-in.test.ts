import { chmod, readFile } from "node:fs/promises";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { describe, expect, it } from "vitest";
import type { ChatgptTokens } from "../../src/manager/index.ts";
import type { LoginError } from "../../src/errors/index.ts";
import {
  chatgptDocument,
  openAuthority,
  openHome,
  secret,
  withManager,
  type Manager,
  type ManagerSetup,
} from "./fixture.ts";

const failing = <A>(setup: ManagerSetup, use: (manager: Manager) => Effect.Effect<A, LoginError>) =>
  withManager(setup, (manager) => Effect.flip(use(manager)));

const signedIn = async (
  authority: Awaited<ReturnType<typeof openAuthority>>,
  account = authority.account,
) => {
  const minted = await authority.mintChatgptTokens({ account });
  const tokens: ChatgptTokens = {
    idToken: secret(minted.idToken),
    accessToken: secret(minted.accessToken),
    refreshToken: secret(minted.refreshToken),
  };
  return { minted, tokens };
};

describe("AuthManager.checkLogin", () => {
  const stored = { auth_mode: "apikey", OPENAI_API_KEY: "sk-old" };

  it("succeeds if a login would, and changes nothing", async () => {
    const home = await openHome();
    await withManager({ home }, (manager) => manager.checkLogin("chatgpt"));
    expect(home.isSignedIn()).toBe(false);
    await home.write(stored);
    await withManager({ home }, (manager) => manager.checkLogin("chatgpt"));
    expect(await home.read()).toEqual(stored);
  });

  it.each<[string, Omit<ManagerSetup, "home">, string]>([
    [
      "a variable provides the credential",
      { env: { CODEX_ACCESS_TOKEN: "at-x" }, options: { loadAtStart: false } },
      "LOGIN_ENVIRONMENT_CREDENTIAL_OVERRIDES",
    ],
    ["the method is ruled out", { config: ["forced_login_method=api"] }, "LOGIN_METHOD_DISABLED"],
  ])("fails if %s", async (_, setup, code) => {
    const home = await openHome();
    const error = await failing({ ...setup, home }, (manager) => manager.checkLogin("chatgpt"));
    expect(error.code).toBe(code);
  });

  it("fails as saving would if the file is read-only", async () => {
    const home = await openHome();
    await home.write(stored);
    await chmod(home.authJson, 0o400);
    const [checked, saved] = await withManager({ home }, (manager) =>
      Effect.all([
        Effect.flip(manager.checkLogin("apiKey")),
        Effect.flip(manager.loginWithApiKey(secret("sk-new"))),
      ]),
    );
    expect(checked.code).toBe("LOGIN_STORE_UNWRITABLE");
    expect(checked).toEqual(saved);
  });

  it("fails if the stored document cannot be read", async () => {
    const home = await openHome();
    await home.write("no json");
    const error = await failing({ home }, (manager) => manager.checkLogin("chatgpt"));
    expect(error.code).toBe("LOGIN_AUTH_JSON_INVALID");
  });
});

describe("AuthManager.loginWithApiKey", () => {
  it("stores the trimmed key, makes it current and sends nothing", async () => {
    const home = await openHome();
    const current = await withManager({ home }, (manager) =>
      Effect.andThen(manager.loginWithApiKey(secret(" sk-new\r\n")), manager.current),
    );
    expect(Option.getOrNull(current)).toMatchObject({ _tag: "ApiKey", source: { _tag: "File" } });
    expect(await readFile(home.authJson, "utf8")).toBe(
      '{\n  "auth_mode": "apikey",\n  "OPENAI_API_KEY": "sk-new"\n}',
    );
  });

  it.each(["", "  ", "two words", "two\nlines", "schlüssel"])("refuses %j", async (key) => {
    const home = await openHome();
    const error = await failing({ home }, (manager) => manager.loginWithApiKey(secret(key)));
    expect(error.code).toBe("LOGIN_INPUT_INVALID");
    expect(home.isSignedIn()).toBe(false);
  });

  it("writes nothing over a file that it cannot read", async () => {
    const home = await openHome();
    await home.write("no json");
    const error = await failing({ home }, (manager) => manager.loginWithApiKey(secret("sk-new")));
    expect(error.code).toBe("LOGIN_AUTH_JSON_INVALID");
    expect(await readFile(home.authJson, "utf8")).toBe("no json");
  });

  it("keeps members of the file that we do not know", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-old", from_the_future: { n: 1 } });
    await withManager({ home }, (manager) => manager.loginWithApiKey(secret("sk-new")));
    expect(await home.read()).toEqual({
      auth_mode: "apikey",
      OPENAI_API_KEY: "sk-new",
      from_the_future: { n: 1 },
    });
  });

  it("revokes the sign-in that it replaces, once the new one is stored", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const before = await chatgptDocument(authority);
    await home.write(before);
    await withManager({ home, authority }, (manager) => manager.loginWithApiKey(secret("sk-new")));
    const [revocation] = authority.requestsTo("revoke");
    expect(JSON.parse(revocation?.body ?? "")).toEqual({
      token: before.tokens.refresh_token,
      token_type_hint: "refresh_token",
      client_id: "app_EMoamEEZ73f0CkXaXp7hrann",
    });
    expect((await home.read()).OPENAI_API_KEY).toBe("sk-new");
  });

  it("changes nothing if a variable provides the credential", async () => {
    const home = await openHome();
    const error = await failing({ home, env: { CODEX_API_KEY: "sk-environment" } }, (manager) =>
      manager.loginWithApiKey(secret("sk-new")),
    );
    expect(error).toMatchObject({
      code: "LOGIN_ENVIRONMENT_CREDENTIAL_OVERRIDES",
      variable: "CODEX_API_KEY",
    });
    expect(home.isSignedIn()).toBe(false);
  });
});

describe("AuthManager.loginWithAccessToken", () => {
  it("verifies an agent identity JWT, stores it and registers its task", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const jwt = await authority.mintAgentIdentityJwt();
    const credential = await withManager({ home, authority }, (manager) =>
      manager.loginWithAccessToken(secret(jwt)),
    );
    expect(credential).toMatchObject({ _tag: "AgentIdentity", source: { _tag: "File" } });
    expect(await home.read()).toEqual({
      auth_mode: "agentIdentity",
      OPENAI_API_KEY: null,
      agent_identity: jwt,
    });
    expect([authority.count("jwks"), authority.count("registerTask")]).toEqual([1, 1]);
  });

  it("stores a personal access token without an auth_mode", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const token = authority.mintPersonalAccessToken();
    await withManager({ home, authority }, (manager) =>
      manager.loginWithAccessToken(secret(token)),
    );
    expect(await home.read()).toEqual({ OPENAI_API_KEY: null, personal_access_token: token });
  });

  it("refuses text that is not a JWT without any request", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const error = await failing({ home, authority }, (manager) =>
      manager.loginWithAccessToken(secret("abc")),
    );
    expect(error.message).toContain("invalid agent identity JWT format");
    expect(authority.requests).toHaveLength(0);
  });

  it("stores nothing if the signature is by an unknown key, and keeps what was there", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write({ auth_mode: "apikey", OPENAI_API_KEY: "sk-old" });
    const jwt = await authority.mintAgentIdentityJwt({ signature: "unknownKey" });
    const error = await failing({ home, authority }, (manager) =>
      manager.loginWithAccessToken(secret(jwt)),
    );
    expect(error.code).toBe("AGENT_IDENTITY_JWKS_KEY_NOT_FOUND");
    expect((await home.read()).OPENAI_API_KEY).toBe("sk-old");
  });
});

describe("AuthManager.saveAccessToken", () => {
  it("verifies and stores, but registers no task", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const jwt = await authority.mintAgentIdentityJwt();
    const saved = await withManager(
      { home, authority, options: { loadAtStart: false } },
      (manager) => manager.saveAccessToken(secret(jwt)),
    );
    expect(saved).toMatchObject({
      kind: "AgentIdentity",
      account: { accountId: authority.account.accountId },
    });
    expect(authority.requests.map((request) => request.endpoint)).toEqual(["jwks"]);
    expect((await home.read()).agent_identity).toBe(jwt);
  });
});

describe("AuthManager.loginWithChatgptTokens", () => {
  it("stores the tokens with the account of the id token and a new owner id", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const { minted, tokens } = await signedIn(authority);
    await withManager({ home, authority }, (manager) =>
      manager.loginWithChatgptTokens({
        ...tokens,
        apiKey: secret("sk-exchanged"),
        provenance: { issuer: authority.issuer, clientId: "client-7" },
      }),
    );
    const stored = await home.read();
    expect(stored).toMatchObject({
      auth_mode: "chatgpt",
      OPENAI_API_KEY: "sk-exchanged",
      tokens: {
        id_token: minted.idToken,
        access_token: minted.accessToken,
        refresh_token: minted.refreshToken,
        oauth_provenance: { issuer: authority.issuer, client_id: "client-7" },
        account_id: minted.accountId,
      },
    });
    expect(stored.tokens?.login_owner_id).toMatch(/^[\w-]{43}$/);
    expect(Date.parse(stored.last_refresh ?? "")).toBeGreaterThan(Date.now() - 60_000);
  });

  it("returns the account of the replaced sign-in, and whether it is the same", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const first = await signedIn(authority);
    const again = await signedIn(authority);
    const other = await signedIn(authority, authority.createAccount());
    const results = await withManager({ home, authority }, (manager) =>
      Effect.forEach([first, again, other], ({ tokens }) => manager.loginWithChatgptTokens(tokens)),
    );
    const { accountId, email } = authority.account;
    expect(results.map(({ replaced }) => replaced)).toEqual([
      undefined,
      { account: expect.objectContaining({ accountId, email }), isSameAccount: true },
      { account: expect.objectContaining({ accountId, email }), isSameAccount: false },
    ]);
    expect(results[2]?.credential.account.accountId).toBe(other.minted.accountId);
  });

  it("names no replaced account for an API key", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const { tokens } = await signedIn(authority);
    const result = await withManager({ home, authority }, (manager) =>
      Effect.andThen(
        manager.loginWithApiKey(secret("sk-before")),
        manager.loginWithChatgptTokens(tokens),
      ),
    );
    expect(result).not.toHaveProperty("replaced");
  });

  it("does not revoke tokens that it stores again", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const { tokens } = await signedIn(authority);
    await withManager({ home, authority }, (manager) =>
      Effect.andThen(
        manager.loginWithChatgptTokens(tokens),
        manager.loginWithChatgptTokens(tokens),
      ),
    );
    expect(authority.count("revoke")).toBe(0);
  });

  it("refuses an id token that is not a JWT", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const { tokens } = await signedIn(authority);
    const error = await failing({ home, authority }, (manager) =>
      manager.loginWithChatgptTokens({ ...tokens, idToken: secret("x") }),
    );
    expect(error.code).toBe("LOGIN_INPUT_INVALID");
    expect(home.isSignedIn()).toBe(false);
  });
});

describe("AuthManager.logout", () => {
  it("revokes, removes and is signed out", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority));
    const seen = await withManager({ home, authority }, (manager) =>
      Effect.all([manager.logout, manager.current, manager.logout]),
    );
    expect(seen).toEqual([
      { removed: true, revoked: "revoked" },
      Option.none(),
      { removed: false, revoked: "notNeeded" },
    ]);
    expect(authority.count("revoke")).toBe(1);
    expect(home.isSignedIn()).toBe(false);
  });

  it("revokes the access token if there is no refresh token", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const document = await chatgptDocument(authority);
    await home.write({ ...document, tokens: { ...document.tokens, refresh_token: "" } });
    await withManager({ home, authority }, (manager) => manager.logout);
    expect(JSON.parse(authority.requestsTo("revoke")[0]?.body ?? "")).toEqual({
      token: document.tokens.access_token,
      token_type_hint: "access_token",
    });
  });

  it("does not revoke tokens that another program owns", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write({ ...(await chatgptDocument(authority)), auth_mode: "chatgptAuthTokens" });
    const result = await withManager({ home, authority }, (manager) => manager.logout);
    expect(result).toEqual({ removed: true, revoked: "notNeeded" });
    expect(authority.count("revoke")).toBe(0);
  });

  it("removes all the same if the authority cannot be reached", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority));
    authority.behave("revoke", { status: 503 });
    const result = await withManager({ home, authority }, (manager) => manager.logout);
    expect(result).toEqual({ removed: true, revoked: "failed" });
    expect(home.isSignedIn()).toBe(false);
  });

  it("removes a file that cannot be read, since that is what was asked for", async () => {
    const home = await openHome();
    await home.write("no json");
    const result = await withManager({ home }, (manager) => manager.logout);
    expect(result).toEqual({ removed: true, revoked: "notNeeded" });
    expect(home.isSignedIn()).toBe(false);
  });

  it("revokes at CODEX_REVOKE_TOKEN_URL_OVERRIDE if that is set", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const elsewhere = await openAuthority();
    await home.write(await chatgptDocument(authority));
    const env = { CODEX_REVOKE_TOKEN_URL_OVERRIDE: `${elsewhere.url}/oauth/revoke` };
    await withManager({ home, authority, env }, (manager) => manager.logout);
    expect([authority.count("revoke"), elsewhere.count("revoke")]).toEqual([0, 1]);
  });

  it("drops the credential in memory, which comes before CODEX_ACCESS_TOKEN, once", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const setup = {
      home,
      authority,
      env: { CODEX_ACCESS_TOKEN: await authority.mintAgentIdentityJwt() },
      config: ["cli_auth_credentials_store=ephemeral"],
    };
    const [result, current, error] = await withManager(setup, (manager) =>
      Effect.gen(function* () {
        yield* manager.loginWithApiKey(secret("sk-new"));
        const result = yield* manager.logout;
        return [result, yield* manager.reload, yield* Effect.flip(manager.logout)] as const;
      }),
    );
    expect(result).toEqual({ removed: true, revoked: "notNeeded" });
    expect(Option.getOrNull(current)).toMatchObject({ _tag: "AgentIdentity" });
    expect(error.code).toBe("LOGIN_ENVIRONMENT_CREDENTIAL_OVERRIDES");
  });

  it("changes nothing if a variable provides the credential", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    const error = await failing(
      { home, env: { CODEX_API_KEY: "sk-environment" } },
      (manager) => manager.logout,
    );
    expect(error.code).toBe("LOGIN_ENVIRONMENT_CREDENTIAL_OVERRIDES");
    expect(home.isSignedIn()).toBe(true);
  });
});
