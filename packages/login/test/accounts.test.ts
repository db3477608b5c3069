import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestAuthority } from "@agent-auth/test-authority";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { KeptAccounts, layer } from "../src/storage/accounts/index.ts";
import { createAuthManager, createKeptAccounts } from "../src/promises/index.ts";
import { chatgptDocument, managerOptions, openAuthority, openHome } from "./manager/fixture.ts";
import { openLock } from "./support/home-lock.ts";

type Home = Awaited<ReturnType<typeof openHome>>;
const apiKey = (key: string) => ({ auth_mode: "apikey", OPENAI_API_KEY: key });

const open = async (authority?: TestAuthority, config: ReadonlyArray<string> = []) => {
  const home = await openHome();
  const options = await managerOptions({
    home,
    config,
    ...(authority === undefined ? {} : { authority }),
  });
  const run = <A, E>(use: (accounts: KeptAccounts["Service"]) => Effect.Effect<A, E>): Promise<A> =>
    Effect.runPromise(Effect.provide(KeptAccounts.use(use), layer(options)));
  const failure = <A, E>(use: (accounts: KeptAccounts["Service"]) => Effect.Effect<A, E>) =>
    run((accounts) => Effect.flip(use(accounts)));
  return { home, options, run, failure };
};

const fileOf = (home: Home, name: string) => join(home.path, "accounts", name, "auth.json");
const keep = async (home: Home, name: string, document: unknown) => {
  await mkdir(join(home.path, "accounts", name), { recursive: true });
  const text = typeof document === "string" ? document : JSON.stringify(document);
  await writeFile(fileOf(home, name), text, { mode: 0o600 });
};
const keptText = (home: Home, name: string) => readFile(fileOf(home, name), "utf8");

describe("KeptAccounts", () => {
  it("keeps the current sign-in, adds another, and switches between them", async () => {
    const { home, run } = await open();
    await home.write(apiKey("sk-one"));
    await run((accounts) => accounts.addCurrent("one"));
    await run((accounts) =>
      accounts.addNew("two", ({ path }) =>
        Effect.promise(() => writeFile(join(path, "auth.json"), JSON.stringify(apiKey("sk-two")))),
      ),
    );
    expect((await home.read()).OPENAI_API_KEY).toBe("sk-one");
    expect(await run((accounts) => accounts.use("two"))).toBe(true);
    expect(await run((accounts) => accounts.use("two"))).toBe(false);
    expect((await home.read()).OPENAI_API_KEY).toBe("sk-two");
    const { accounts, broken, current } = await run((kept) => kept.list);
    expect(
      accounts.map(({ name, isCurrent, summary }) => [name, isCurrent, summary.method]),
    ).toEqual([
      ["one", false, "apiKey"],
      ["two", true, "apiKey"],
    ]);
    expect(broken).toEqual([]);
    expect(current?.apiKey && Redacted.value(current.apiKey)).toBe("sk-two");
    expect(inspect(accounts, { depth: 9, showHidden: true })).not.toContain("sk-");
  });

  it("saves the refreshed tokens of the current sign-in under its name", async () => {
    const authority = await openAuthority();
    const { home, run } = await open(authority);
    const account = authority.createAccount({ email: "ada@example.com" });
    const older = await chatgptDocument(authority, { account });
    const newer = await chatgptDocument(authority, { account });
    await home.write({ ...newer, last_refresh: "2026-04-13T12:00:01Z" });
    await keep(home, "ada", { ...older, last_refresh: "2026-04-13T12:00:00Z" });
    await keep(home, "key", apiKey("sk-other"));
    await run((accounts) => accounts.use("key"));
    expect(JSON.parse(await keptText(home, "ada")).tokens).toEqual(newer.tokens);
  });

  it("does not overwrite a kept copy that was refreshed later than the current sign-in", async () => {
    const authority = await openAuthority();
    const { home, run } = await open(authority);
    const account = authority.createAccount({ email: "ada@example.com" });
    const older = await chatgptDocument(authority, { account });
    const newer = await chatgptDocument(authority, { account });
    await home.write({ ...older, last_refresh: "2026-04-13T12:00:00Z" });
    await keep(home, "ada", { ...newer, last_refresh: "2026-04-13T12:00:01Z" });
    await keep(home, "key", apiKey("sk-other"));
    await run((accounts) => accounts.use("key"));
    expect(JSON.parse(await keptText(home, "ada")).tokens).toEqual(newer.tokens);
  });

  it("removes an account, revokes its tokens and leaves no lock files", async () => {
    const authority = await openAuthority();
    const { home, run } = await open(authority);
    await home.write(apiKey("sk-current"));
    await keep(home, "ada", await chatgptDocument(authority));
    await keep(home, "key", apiKey("sk-other"));
    expect(await run((accounts) => accounts.remove("ada"))).toEqual({ revoked: "revoked" });
    expect(await run((accounts) => accounts.remove("key"))).toEqual({ revoked: "notNeeded" });
    expect(authority.count("revoke")).toBe(1);
    expect(await readdir(join(home.path, "accounts"))).toEqual([]);
  });

  it("says if the tokens of a removed account could not be revoked", async () => {
    const authority = await openAuthority();
    authority.behave("revoke", { status: 500 });
    const { home, run } = await open(authority);
    await keep(home, "ada", await chatgptDocument(authority));
    expect(await run((accounts) => accounts.remove("ada"))).toEqual({ revoked: "failed" });
    expect(existsSync(fileOf(home, "ada"))).toBe(false);
  });

  it("removes an account that cannot be read, and revokes nothing", async () => {
    const { home, run } = await open();
    await keep(home, "bad", "{broken");
    expect(await run((accounts) => accounts.remove("bad"))).toEqual({ revoked: "unreadable" });
    expect(existsSync(fileOf(home, "bad"))).toBe(false);
  });

  it("leaves nothing behind if the new sign-in stores nothing, and passes its failure on", async () => {
    const { home, failure } = await open();
    const error = await failure((accounts) => accounts.addNew("new", () => Effect.fail("refused")));
    expect(error).toBe("refused");
    expect(await readdir(join(home.path, "accounts"))).toEqual([]);
  });

  it("keeps what a new sign-in has stored even if it fails afterwards", async () => {
    const { home, failure, run } = await open();
    await failure((accounts) =>
      accounts.addNew("new", ({ path }) =>
        Effect.andThen(
          Effect.promise(() => writeFile(join(path, "auth.json"), JSON.stringify(apiKey("sk-1")))),
          Effect.fail("no network"),
        ),
      ),
    );
    expect((await run((accounts) => accounts.list)).accounts.map(({ name }) => name)).toEqual([
      "new",
    ]);
    expect(home.isSignedIn()).toBe(false);
  });

  it("returns the name under which the current sign-in is kept", async () => {
    const { home, run } = await open();
    const name = () => run((accounts) => accounts.nameOfCurrent);
    expect(await name()).toEqual(Option.none());
    await home.write(apiKey("sk-one"));
    expect(await name()).toEqual(Option.none());
    await keep(home, "one", apiKey("sk-one"));
    expect(await name()).toEqual(Option.some("one"));
  });

  it("waits for the holder of the lock of CODEX_HOME", async () => {
    const { home, run } = await open();
    await home.write(apiKey("sk-one"));
    await keep(home, "one", apiKey("sk-one"));
    await keep(home, "two", apiKey("sk-two"));
    const lock = openLock({ codexHome: { path: home.path, explicit: true } });
    const [isHeld, mayEnd] = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()];
    const holding = Effect.runPromise(
      lock.withLock(Effect.andThen(Deferred.succeed(isHeld, undefined), Deferred.await(mayEnd))),
    );
    await Effect.runPromise(Deferred.await(isHeld));
    const using = run((accounts) => accounts.use("two"));
    expect((await home.read()).OPENAI_API_KEY).toBe("sk-one");
    await Effect.runPromise(Deferred.succeed(mayEnd, undefined));
    await holding;
    expect(await using).toBe(true);
    expect((await home.read()).OPENAI_API_KEY).toBe("sk-two");
  });

  it.each([
    ["a name that is taken", "LOGIN_ACCOUNT_EXISTS", "taken"],
    ["a name that is taken by what cannot be read", "LOGIN_ACCOUNT_EXISTS", "bad"],
    ["a name that would climb", "LOGIN_ACCOUNT_NAME_INVALID", "../up"],
    ["a name that would hide", "LOGIN_ACCOUNT_NAME_INVALID", ".hidden"],
    ["a device of Windows", "LOGIN_ACCOUNT_NAME_INVALID", "nul"],
    ["a device of Windows, in another case", "LOGIN_ACCOUNT_NAME_INVALID", "Com1"],
    ["a device of Windows with an extension", "LOGIN_ACCOUNT_NAME_INVALID", "con.txt"],
    ["a name whose last dot Windows drops", "LOGIN_ACCOUNT_NAME_INVALID", "work."],
    ["a name whose last space Windows drops", "LOGIN_ACCOUNT_NAME_INVALID", "work "],
    ["a stream of a file on Windows", "LOGIN_ACCOUNT_NAME_INVALID", "work:1"],
  ])("refuses to add %s", async (_, code, name) => {
    const { home, failure } = await open();
    await home.write(apiKey("sk-current"));
    await keep(home, "taken", apiKey("sk-taken"));
    await keep(home, "bad", "{broken");
    expect((await failure((accounts) => accounts.addCurrent(name))).code).toBe(code);
  });

  it("rejects keeping the current sign-in twice", async () => {
    const { home, failure } = await open();
    await home.write(apiKey("sk-one"));
    await keep(home, "one", apiKey("sk-one"));
    expect(await failure((accounts) => accounts.addCurrent("again"))).toMatchObject({
      code: "LOGIN_ACCOUNT_EXISTS",
      what: "signIn",
      name: "one",
    });
  });

  it.each([
    ["there is no such account", "LOGIN_ACCOUNT_NOT_FOUND", "none", apiKey("sk-one")],
    ["the current sign-in would be lost", "LOGIN_ACCOUNT_NOT_KEPT", "two", apiKey("sk-unkept")],
    ["the account cannot be read", "LOGIN_ACCOUNT_UNREADABLE", "bad", apiKey("sk-one")],
    [
      "the current sign-in may be one that cannot be read",
      "LOGIN_ACCOUNT_UNREADABLE",
      "two",
      apiKey("sk-x"),
    ],
  ])("switches to no account if %s", async (why, code, name, current) => {
    const { home, failure } = await open();
    await home.write(current);
    await keep(home, "one", apiKey("sk-one"));
    await keep(home, "two", apiKey("sk-two"));
    if (code === "LOGIN_ACCOUNT_UNREADABLE") await keep(home, "bad", "{broken");
    const error = await failure((accounts) => accounts.use(name));
    expect(error.code).toBe(code);
    expect("mayBeCurrent" in error && error.mayBeCurrent).toBe(why.includes("may be"));
    expect(await home.read()).toEqual(current);
  });

  it("removes neither the current sign-in nor what is not there", async () => {
    const { home, failure } = await open();
    await home.write(apiKey("sk-one"));
    await keep(home, "one", apiKey("sk-one"));
    const remove = async (name: string) =>
      (await failure((accounts) => accounts.remove(name))).code;
    expect(await remove("one")).toBe("LOGIN_ACCOUNT_IN_USE");
    expect(await remove("none")).toBe("LOGIN_ACCOUNT_NOT_FOUND");
    expect(JSON.parse(await keptText(home, "one"))).toEqual(apiKey("sk-one"));
  });

  it("needs a store that outlives the process", async () => {
    const { failure } = await open(undefined, ["cli_auth_credentials_store=ephemeral"]);
    for (const use of [
      (accounts: KeptAccounts["Service"]) => accounts.addCurrent("x"),
      (accounts: KeptAccounts["Service"]) => Effect.asVoid(accounts.use("x")),
      (accounts: KeptAccounts["Service"]) => accounts.addNew("x", () => Effect.void),
    ])
      expect((await failure(use)).code).toBe("LOGIN_PERSISTENT_STORE_REQUIRED");
  });

  it("switches to no account while an environment variable provides the credential", async () => {
    const home = await openHome();
    const options = await managerOptions({ home, env: { CODEX_API_KEY: "sk-variable" } });
    const use = Effect.flip(KeptAccounts.use((accounts) => accounts.use("x")));
    const error = await Effect.runPromise(Effect.provide(use, layer(options)));
    expect(error.code).toBe("LOGIN_ENVIRONMENT_CREDENTIAL_OVERRIDES");
  });
});

describe("createKeptAccounts", () => {
  it("does the same with Promises, and passes rejections of a sign-in on", async () => {
    const home = await openHome();
    const variables = { CODEX_HOME: home.path };
    const accounts = createKeptAccounts({ variables, environmentCredentials: true });
    const failure = new Error("closed the browser");
    await expect(accounts.addNew("new", () => Promise.reject(failure))).rejects.toBe(failure);
    await accounts.addNew("new", async (codexHome) => {
      await using manager = createAuthManager({
        variables,
        codexHome,
        environmentCredentials: false,
        loadAtStart: false,
      });
      await manager.loginWithApiKey("sk-new");
    });
    expect(await accounts.nameOfCurrent()).toBeNull();
    expect(await accounts.use("new")).toBe(true);
    expect(await accounts.nameOfCurrent()).toBe("new");
    await expect(accounts.remove("new")).rejects.toMatchObject({ code: "LOGIN_ACCOUNT_IN_USE" });
    expect((await accounts.list()).accounts).toMatchObject([{ name: "new", isCurrent: true }]);
    expect((await home.read()).OPENAI_API_KEY).toBe("sk-new");
  });
});
