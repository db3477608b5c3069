import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CredentialUnusable, ManagerClosed, RefreshFailed } from "../src/errors/index.ts";
import {
  createAuthManager,
  revealSecret,
  type CreateAuthManagerOptions,
} from "../src/promises/index.ts";
import { chatgptDocument, openAuthority, openHome, type Home } from "./manager/fixture.ts";

const options = (
  home: Home,
  more: Partial<CreateAuthManagerOptions> = {},
): CreateAuthManagerOptions => ({
  environmentCredentials: true,
  workspaceChecks: false, // no backend knows these tokens
  ...more,
  variables: { CODEX_HOME: home.path, ...more.variables },
});

describe("createAuthManager", () => {
  it.each(["false", "true", 0, undefined, {}])(
    "rejects every call if environmentCredentials is %j",
    async (environmentCredentials) => {
      const home = await openHome();
      const wrong: object = { environmentCredentials };
      const variables = { CODEX_API_KEY: "sk-environment" };
      await using manager = createAuthManager({ ...options(home, { variables }), ...wrong });
      await expect(manager.current()).rejects.toEqual(
        new TypeError("environmentCredentials must be true or false"),
      );
    },
  );

  it("answers with plain values", async () => {
    const home = await openHome();
    await using manager = createAuthManager(options(home));
    expect(manager.snapshot()).toBeNull();
    expect(await manager.current()).toBeNull();
    const credential = await manager.loginWithApiKey("sk-new");
    expect(credential._tag === "ApiKey" && revealSecret(credential.apiKey)).toBe("sk-new");
    expect(manager.snapshot()).toBe(credential);
    expect(await manager.current()).toBe(credential);
    expect(await manager.recoverUnauthorized(credential)).toBeNull();
    expect(await manager.logout()).toEqual({ removed: true, revoked: "notNeeded" });
    expect(await manager.reload()).toBeNull();
  });

  it("rejects with the very same error classes", async () => {
    const home = await openHome();
    await home.write("{}");
    await using manager = createAuthManager(options(home));
    await expect(manager.current()).rejects.toBeInstanceOf(CredentialUnusable);
    await expect(manager.refresh("forced")).rejects.toMatchObject({
      code: "LOGIN_CREDENTIAL_UNUSABLE",
    });
  });

  it("says before a sign-in that nothing could be saved", async () => {
    const home = await openHome();
    await using manager = createAuthManager(options(home));
    expect(await manager.checkLogin("chatgpt")).toBeUndefined();
    await home.write("no json");
    await expect(manager.checkLogin("chatgpt")).rejects.toMatchObject({
      code: "LOGIN_AUTH_JSON_INVALID",
    });
  });

  it("rejects every call if the configuration does not read", async () => {
    const home = await openHome();
    await using manager = createAuthManager(
      options(home, { configOverrides: ["forced_login_method=sometimes"] }),
    );
    await expect(manager.current()).rejects.toMatchObject({ code: "LOGIN_CONFIG_KEY_INVALID" });
    expect(manager.snapshot()).toBeNull();
  });

  it("stops waiting when the signal says so, with its reason", async () => {
    const home = await openHome();
    await home.write({ personal_access_token: "at-x" });
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const manager = createAuthManager(
      options(home, { variables: { CODEX_AUTHAPI_BASE_URL: `http://127.0.0.1:${port}` } }),
    );
    const reason = new Error("the caller has gone");
    await expect(manager.current({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await manager.close();
    silent.close();
  });

  it("notifies listeners of each change, until they unsubscribe", async () => {
    const home = await openHome();
    await using manager = createAuthManager(options(home));
    await manager.current();
    const heard: Array<string | undefined> = [];
    const unsubscribe = manager.subscribe((credential) => heard.push(credential?._tag));
    const iterator = manager.changes()[Symbol.asyncIterator]();
    const next = iterator.next();
    await new Promise(setImmediate);
    await manager.loginWithApiKey("sk-new");
    expect((await next).value).toMatchObject({ _tag: "ApiKey" });
    await iterator.return?.();
    await manager.logout();
    await expect.poll(() => heard).toEqual(["ApiKey", undefined]);
    unsubscribe();
    await manager.loginWithApiKey("sk-newer");
    expect(heard).toHaveLength(2);
  });

  it.each([
    ["an error that quotes the credential", (key: string) => new TypeError(key), "TypeError"],
    [
      "one of our errors",
      (key: string) => new RefreshFailed({ attempts: 1, reason: key }),
      "RefreshFailed, LOGIN_REFRESH_FAILED",
    ],
    ["no error at all", (key: string) => key, "string"],
  ])("continues if a listener or onWarning throws %s, and names it", async (_, made, name) => {
    const home = await openHome();
    const warnings: Array<string> = [];
    await using manager = createAuthManager(
      options(home, {
        onWarning: (message) => {
          warnings.push(message);
          throw new Error("the listener failed");
        },
      }),
    );
    await manager.current();
    const heard: Array<string | undefined> = [];
    manager.subscribe((credential) => {
      heard.push(credential?._tag);
      throw made(credential?._tag === "ApiKey" ? revealSecret(credential.apiKey) : "no such view");
    });
    await new Promise(setImmediate);
    await manager.loginWithApiKey("sk-new");
    await manager.logout();
    await expect.poll(() => heard).toEqual(["ApiKey", undefined]);
    expect(warnings).toEqual(Array.from({ length: 2 }, () => `a listener failed (${name})`));
  });

  it("ends the loop over its changes when it is closed", async () => {
    const home = await openHome();
    const manager = createAuthManager(options(home));
    await manager.current();
    const heard: Array<unknown> = [];
    const loop = (async () => {
      for await (const credential of manager.changes()) heard.push(credential?._tag);
    })();
    await new Promise(setImmediate);
    await manager.loginWithApiKey("sk-new");
    await manager.close();
    await loop;
    expect(heard).toEqual(["ApiKey"]);
  });

  it("continues if a listener is an async function that rejects, and does not wait for it", async () => {
    const home = await openHome();
    const warnings: Array<string> = [];
    await using manager = createAuthManager(
      options(home, { onWarning: (message) => void warnings.push(message) }),
    );
    await manager.current();
    const heard: Array<string | undefined> = [];
    const listener = async (credential: { readonly _tag: string } | null): Promise<void> => {
      heard.push(credential?._tag);
      if (credential !== null) await new Promise(() => {});
      throw new RangeError("no such view");
    };
    // oxlint-disable-next-line typescript/no-misused-promises -- what a program without this rule passes
    manager.subscribe(listener);
    await new Promise(setImmediate);
    await manager.loginWithApiKey("sk-new");
    await manager.logout();
    await expect.poll(() => heard).toEqual(["ApiKey", undefined]);
    await expect.poll(() => warnings).toEqual(["a listener failed (RangeError)"]);
  });

  it.each([
    ["undefined", undefined],
    ["a Promise", Promise.resolve("sk-late")],
    ["a String object", new String("sk-boxed")],
    ["an object", {}],
    ["5", 5],
  ])("rejects %s as a secret with a TypeError, and stores nothing", async (_, secret) => {
    const home = await openHome();
    await using manager = createAuthManager(options(home));
    const untyped: { readonly value: never } = JSON.parse("{}");
    Object.assign(untyped, { value: secret });
    for (const login of [manager.loginWithApiKey, manager.loginWithAccessToken])
      await expect(login(untyped.value)).rejects.toThrow(TypeError);
    expect(await manager.current()).toBeNull();
  });

  it.each([
    ["nothing", undefined, "Cannot destructure"],
    ["no account", { accessToken: "t" }, "accountId must be a string"],
    ["an account that is an object", { accessToken: "t", accountId: {} }, "accountId must be"],
    [
      "a Promise of the token",
      { accessToken: Promise.resolve("t"), accountId: "a" },
      "accessToken must be",
    ],
    [
      "a plan that is a number",
      { accessToken: "t", accountId: "a", planType: 1 },
      "planType must be",
    ],
  ])("fails with ExternalProviderFailed if a provider answers %s", async (_, answer, reason) => {
    const home = await openHome();
    const externalProvider = {
      name: "the editor",
      tokens: async () => ({ accessToken: "t", accountId: "a" }),
    };
    Object.assign(externalProvider, { tokens: async () => answer });
    await using manager = createAuthManager(options(home, { externalProvider }));
    await expect(manager.current()).rejects.toMatchObject({
      code: "LOGIN_EXTERNAL_PROVIDER_FAILED",
      message: expect.stringContaining(reason),
    });
  });

  it("takes tokens from a provider with promises, and its rejection as an error", async () => {
    const home = await openHome();
    await using manager = createAuthManager(
      options(home, {
        externalProvider: {
          name: "the editor",
          tokens: async ({ reason }) => {
            if (reason === "unauthorized") throw new Error("signed out there");
            return { accessToken: "t-1", accountId: "acct-1" };
          },
        },
      }),
    );
    const credential = await manager.current();
    expect(credential).toMatchObject({ _tag: "ExternalChatgpt", account: { accountId: "acct-1" } });
    if (credential === null) throw new Error("no credential");
    await expect(manager.recoverUnauthorized(credential)).rejects.toMatchObject({
      message: "the editor did not supply ChatGPT tokens: signed out there",
    });
  });

  it.each([
    ["its first load", true],
    ["a later call", false],
  ])("hands warnings of %s to the program, without secrets", async (_, loadAtStart) => {
    const home = await openHome();
    const authority = await openAuthority();
    await home.write(await chatgptDocument(authority, { expiresInSeconds: 100 }));
    authority.behave("refresh", { status: 400 });
    const warnings: Array<string> = [];
    await using manager = createAuthManager(
      options(home, {
        variables: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token` },
        loadAtStart,
        onWarning: (message) => warnings.push(message),
      }),
    );
    await manager.current();
    expect(warnings).toEqual([
      "the access token could not be refreshed yet: access token could not be refreshed: the authority responded with status 400",
    ]);
  });

  it("does not close before a refresh that has spent its token has stored the new one", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const before = await chatgptDocument(authority);
    await home.write(before);
    authority.behave("refresh", { delayMs: 200 });
    const manager = createAuthManager(
      options(home, {
        variables: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token` },
      }),
    );
    const refreshing = manager.refresh("forced").catch(() => undefined);
    await authority.waitForRequest("refresh");
    await manager.close();
    await refreshing;
    const after = await home.read();
    expect(after.tokens?.refresh_token).not.toBe(before.tokens.refresh_token);
  });

  it("says that it is closed, and has no credential any more", async () => {
    const home = await openHome();
    await home.write({ auth_mode: "apikey", OPENAI_API_KEY: "sk-test" });
    const manager = createAuthManager(options(home));
    await manager.current();
    await manager.close();
    await expect(manager.current()).rejects.toMatchObject({ code: "LOGIN_MANAGER_CLOSED" });
    await expect(manager.logout()).rejects.toBeInstanceOf(ManagerClosed);
    expect(manager.snapshot()).toBeNull();
  });

  it("obeys the config.toml of the folder that it is given", async () => {
    const home = await openHome();
    await writeFile(join(home.path, "config.toml"), 'forced_login_method = "chatgpt"\n');
    await using manager = createAuthManager({
      codexHome: home.path,
      variables: {},
      environmentCredentials: false,
      loadAtStart: false,
    });
    await expect(manager.loginWithApiKey("sk-test")).rejects.toMatchObject({
      code: "LOGIN_METHOD_DISABLED",
    });
  });
});
