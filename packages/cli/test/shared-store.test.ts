import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { layer } from "@agent-auth/login-sql";
import { CredentialStore } from "@agent-auth/login/storage";
import { parseAuthJson } from "@agent-auth/login/storage/auth-json";
import { HomeLock } from "@agent-auth/login/storage/lock";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import { missingPostgres, startPostgres } from "@agent-auth/tools/postgres";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { CliHome } from "./support/cli.ts";
import { RunningProxy } from "./support/proxy.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority();
});
afterAll(() => authority.close());

interface Opened extends AsyncDisposable {
  readonly file: string;
  readonly keyFile: string;
  readonly env: Record<"AGENT_AUTH_STORE" | "AGENT_AUTH_STORE_KEY_FILE", string>;
}

/** A store in a file, and the variables with which a host uses it. */
const openStore = async (): Promise<Opened> => {
  const home = await CliHome.make();
  const keyFile = join(home.path, "keys");
  await writeFile(keyFile, `k1:${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
  const file = join(home.path, "store.db");
  const env = { AGENT_AUTH_STORE: `sqlite:${file}`, AGENT_AUTH_STORE_KEY_FILE: keyFile };
  return { file, env, keyFile, [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]() };
};

const host = () => CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);

/** Stores a ChatGPT sign-in as a login of another host would. */
const seed = async (
  { env, keyFile }: Pick<Opened, "env" | "keyFile">,
  expiresInSeconds: number,
) => {
  const tokens = await authority.mintChatgptTokens({ expiresInSeconds });
  const text = JSON.stringify({
    auth_mode: "chatgpt",
    tokens: {
      id_token: tokens.idToken,
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      account_id: tokens.accountId,
    },
    last_refresh: new Date().toISOString(),
  });
  const keys = { _tag: "File", path: keyFile } as const;
  const program = Effect.gen(function* () {
    const document = yield* parseAuthJson(text);
    const store = yield* CredentialStore;
    yield* HomeLock.use((lock) => lock.withLock(store.save(document)));
  });
  await Effect.runPromise(Effect.provide(program, layer({ url: env.AGENT_AUTH_STORE, keys })));
};

describe("a shared store on the command line", () => {
  it("gives another host the sign-in of the first, and says where it is", async () => {
    await using store = await openStore();
    const { env, file } = store;
    await using one = await host();
    await using other = await host();
    const login = await one.run(["login", "--with-api-key"], {
      env,
      stdin: "sk-proj-shared-ABCDE",
    });
    expect([login.exitCode, existsSync(one.authFile)]).toEqual([0, false]);
    const token = await other.run(["token"], { env });
    expect([token.stdout, token.stderr]).toEqual(["sk-proj-shared-ABCDE\n", ""]);
    const status = await other.run(["login", "status", "--json"], { env });
    expect(JSON.parse(status.stdout)).toMatchObject({
      source: { kind: "store", name: "sqlite", where: file },
    });
    const told = await other.run(["login", "status"], { env });
    expect(told.stderr).toContain(`source: sqlite (${file})\n  codex:  does not read this store`);
    expect((await readFile(file)).includes("sk-proj-shared")).toBe(false);
  });

  it("ends for all hosts with a logout of one", async () => {
    await using store = await openStore();
    const { env } = store;
    await using one = await host();
    await using other = await host();
    await one.run(["login", "--with-api-key"], { env, stdin: "sk-proj-shared-ABCDE" });
    const logout = await other.run(["logout"], { env });
    expect(logout.stderr).toBe("Successfully logged out\n");
    const status = await one.run(["login", "status"], { env });
    expect([status.exitCode, status.stderr]).toEqual([1, "Not logged in\n"]);
  });

  it("sends requests with it, and hands it to a program without the variables of the store", async () => {
    await using store = await openStore();
    const { env } = store;
    await using one = await host();
    const jwt = await authority.mintAgentIdentityJwt();
    await one.run(["login", "--with-agent-identity"], { env, stdin: jwt });
    const answer = await one.run(["api", "/models"], { env });
    expect([answer.exitCode, answer.stderr]).toEqual([0, ""]);
    const script = "console.log(process.env.CODEX_ACCESS_TOKEN, process.env.AGENT_AUTH_STORE)";
    const { stdout } = await one.run(["exec", "--", process.execPath, "-e", script], { env });
    expect(stdout).toBe(`${jwt} undefined\n`);
  });

  it("is what proxy and app-server use, and a logout on another host ends it for both", async () => {
    await using store = await openStore();
    const { env } = store;
    await using one = await host();
    await using other = await host();
    await seed(store, 3600);
    const messages = ["initialize", "account/read"].map((method, id) =>
      JSON.stringify({
        id,
        method,
        params: method === "initialize" ? { clientInfo: { name: "test", version: "1" } } : {},
      }),
    );
    const read = async () => {
      const stdin = `${messages.join("\n")}\n`;
      const { stdout } = await one.run(["app-server", "--stdio"], { env, stdin });
      const answer = stdout.split("\n").find((line) => line.startsWith('{"id":1'));
      return JSON.parse(answer ?? "{}").result?.account;
    };
    expect(await read()).toMatchObject({ type: "chatgpt" });
    await using proxy = await RunningProxy.start(one, [], env);
    const send = async () => (await fetch(`${proxy.baseUrl}/models`)).status;
    expect(await send()).toBe(200);
    await other.run(["logout"], { env });
    await vi.waitFor(async () => expect(await send()).not.toBe(200), { timeout: 15_000 });
    expect(await read()).toBe(null);
  });

  it("spends an expired token once for many processes of two hosts", async () => {
    await using store = await openStore();
    await using one = await host();
    await using other = await host();
    await seed(store, -10);
    authority.clearRequests();
    const runs = [one, other, one, other, one, other].map((home) =>
      home.run(["token"], {
        env: { ...store.env, CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token` },
      }),
    );
    const results = await Promise.all(runs);
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(new Set(results.map(({ stdout }) => stdout)).size).toBe(1);
    expect(authority.count("refresh")).toBe(1);
  });

  it("is checked by doctor", async () => {
    await using store = await openStore();
    const { env, file } = store;
    await using one = await host();
    await one.run(["login", "--with-api-key"], { env, stdin: "sk-proj-shared-ABCDE" });
    const { stdout } = await one.run(["doctor", "--json"], { env });
    const { checks }: { readonly checks: ReadonlyArray<{ name: string; detail: string }> } =
      JSON.parse(stdout);
    const details = Object.fromEntries(checks.map(({ detail, name }) => [name, detail]));
    expect(details).toMatchObject({
      keys: expect.stringContaining("agent_auth.store from AGENT_AUTH_STORE"),
      store: `shared: holds a credential in sqlite (${file}). Codex does not read it`,
      lock: "not needed: the shared store has its own lock",
    });
  });

  it.each([
    ["token", "Error getting a token"],
    ["login status", "Error checking login status"],
    ["api /models", "Error sending the request"],
    ["logout", "Error logging out"],
  ])("%s shows no password if the database cannot be reached", async (line, prefix) => {
    await using one = await host();
    const env = {
      AGENT_AUTH_STORE: "postgres://agents:geheim@127.0.0.1:1/agents?sign_in=team",
      AGENT_AUTH_STORE_KEY: `k1:${randomBytes(32).toString("base64")}`,
    };
    const { exitCode, stderr, stdout } = await one.run(line.split(" "), { env });
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(prefix.split(" ")[0]);
    expect(stderr).toContain("127.0.0.1:1/agents (team) is not available");
    expect(stderr).not.toContain("geheim");
  });

  it("needs keys, and says how to give them", async () => {
    await using one = await host();
    const env = { AGENT_AUTH_STORE: "sqlite:/nowhere/store.db" };
    const { exitCode, stderr } = await one.run(["token"], { env });
    expect([exitCode, stderr]).toEqual([
      1,
      "Error getting a token: the shared store cannot be opened: it is encrypted, and no keys are configured. Set AGENT_AUTH_STORE_KEY_FILE to a file of keys, one line each: ID:BASE64-OF-32-BYTES.\n",
    ]);
  });

  it("has no accounts under names beside it", async () => {
    await using store = await openStore();
    const { env } = store;
    await using one = await host();
    for (const words of [
      ["accounts", "list"],
      ["accounts", "add", "work", "--current"],
      ["accounts", "add", "work", "--with-api-key"],
      ["accounts", "use", "work"],
      ["accounts", "remove", "work"],
    ]) {
      const { exitCode, stderr } = await one.run(words, { env });
      expect(exitCode).toBe(1);
      expect(stderr).toContain("sign-ins cannot be kept under names in a shared store");
    }
  });
});

describe.skipIf(missingPostgres !== undefined)(
  `a shared store in Postgres${missingPostgres === undefined ? "" : ` (${missingPostgres})`}`,
  () => {
    it("tells keep on one host of a sign-in on another, and of the end of it", async () => {
      await using server = await startPostgres();
      await using store = await openStore();
      await using one = await host();
      await using other = await host();
      const env = { ...store.env, AGENT_AUTH_STORE: server.createDatabase("agents") };
      const child = one.spawn(["keep", "--wait"], { env });
      const lines: Array<string> = [];
      child.stderr.on("data", (chunk: Buffer) => lines.push(...chunk.toString().split("\n")));
      const said = (text: string) =>
        vi.waitFor(() => expect(lines.join("\n")).toContain(text), { timeout: 15_000 });
      await said("Waiting for: agent-auth login");
      await seed({ ...store, env }, 3600);
      await said("Keeping fresh");
      lines.length = 0;
      await other.run(["logout"], { env });
      await said("Waiting for: agent-auth login");
      child.kill("SIGTERM");
    });
  },
);
