/** docs/protocol.md §10 and §13: texts that scripts compare, so each is the whole of stderr here. */
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliHome, type CliOptions } from "./support/cli.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority();
});
afterAll(() => authority.close());

/** Runs a command in its own home; answers what it said and what is stored afterwards. */
const inHome = async (
  args: readonly string[],
  { config = "", auth, ...options }: CliOptions & { readonly config?: string; auth?: unknown } = {},
) => {
  await using home = await CliHome.make(
    `chatgpt_base_url = "${authority.chatgptBaseUrl}"\n${config}`,
  );
  if (auth !== undefined) await home.writeAuth(auth);
  const result = await home.run(args, options);
  return { ...result, stored: await home.readAuth() };
};

const apiKey = '{"OPENAI_API_KEY": "sk-earlier"}';
const reading = "Reading access token from stdin...\n";

const identityHere = async () =>
  JSON.stringify({
    auth_mode: "agentIdentity",
    OPENAI_API_KEY: null,
    agent_identity: await authority.mintAgentIdentityJwt(),
  });

describe.concurrent("a login method that the configuration forbids", () => {
  it.each([
    ["chatgpt", "--with-api-key", "API key login is disabled. Use ChatGPT login instead.\n"],
    [
      "api",
      "--with-agent-identity",
      "Access token login is disabled. Use API key login instead.\n",
    ],
    ["api", "--with-access-token", "Access token login is disabled. Use API key login instead.\n"],
    ["api", "--device-auth", "ChatGPT login is disabled. Use API key login instead.\n"],
    ["api", "-q", "ChatGPT login is disabled. Use API key login instead.\n"],
  ])("forced_login_method %s refuses login %s, before reading", async (method, flag, stderr) => {
    const result = await inHome(["login", flag], {
      config: `forced_login_method = "${method}"\n`,
      auth: apiKey,
      stdin: "secret",
    });
    expect(result.stderr).toBe(stderr);
    expect([result.exitCode, result.stdout, result.stored]).toEqual([1, "", apiKey]);
  });

  it("an identity of a workspace that is not allowed is refused, and what was stored kept", async () => {
    const result = await inHome(["login", "--with-agent-identity"], {
      config: 'forced_chatgpt_workspace_id = ["ws-a", "ws-b"]\n',
      auth: apiKey,
      stdin: await authority.mintAgentIdentityJwt(),
    });
    expect(result.stderr).toBe(`${reading}Login is restricted to workspace id(s) ws-a, ws-b.\n`);
    expect([result.exitCode, result.stdout, result.stored]).toEqual([1, "", apiKey]);
  });
});

const belongs = () => `but current credentials belong to ${authority.account.accountId}`;

describe.concurrent("a stored credential that the configuration forbids", () => {
  it.each([
    [
      'forced_login_method = "api"',
      () => "API key login is required, but ChatGPT is currently being used. Logging out.\n",
    ],
    [
      'forced_chatgpt_workspace_id = ["ws-a", "ws-b"]',
      () => `Login is restricted to workspace(s) ws-a, ws-b, ${belongs()}. Logging out.\n`,
    ],
    [
      'forced_chatgpt_workspace_id = ["ws-a"]',
      () => `Login is restricted to workspace ws-a, ${belongs()}. Logging out.\n`,
    ],
  ])("is removed by a command that would use it, %s", async (line, stderr) => {
    const auth = await identityHere();
    const result = await inHome(["token"], { config: `${line}\n`, auth });
    expect(result.stderr).toBe(stderr());
    expect([result.exitCode, result.stdout, result.stored]).toEqual([1, "", null]);
  });

  it("is removed if it is an API key", async () => {
    const config = 'forced_login_method = "chatgpt"\n';
    const result = await inHome(["token"], { config, auth: apiKey });
    expect(result.stderr).toBe(
      "ChatGPT login is required, but an API key is currently being used. Logging out.\n",
    );
    expect([result.exitCode, result.stdout, result.stored]).toEqual([1, "", null]);
  });

  it("is reported by login status, which removes nothing, with a hint in JSON only", async () => {
    const config = 'forced_login_method = "api"\n';
    const auth = await identityHere();
    const { exitCode, stderr, stdout, stored } = await inHome(["login", "status", "--json"], {
      config,
      auth,
    });
    const message = "API key login is required, but ChatGPT is currently being used.";
    expect([exitCode, stderr, stored]).toEqual([1, `${message}\n`, auth]);
    expect(JSON.parse(stdout)).toEqual({
      loggedIn: false,
      error: {
        code: "LOGIN_CREDENTIAL_FORBIDDEN",
        message,
        hint: "Sign in with the method that your configuration requires. Run: agent-auth login",
        remedy: "signIn",
      },
    });
  });
});

describe.concurrent("a sign-in that fails", () => {
  it.each([
    ["--with-api-key", "Reading API key from stdin...\nNo API key provided via stdin.\n"],
    ["--with-access-token", `${reading}No access token provided via stdin.\n`],
    ["--with-agent-identity", `${reading}No access token provided via stdin.\n`],
  ])("%s with an empty stdin", async (flag, stderr) => {
    const result = await inHome(["login", flag], { auth: apiKey, stdin: " \r\n" });
    expect(result.stderr).toBe(stderr);
    expect([result.exitCode, result.stdout, result.stored]).toEqual([1, "", apiKey]);
  });

  it("with a token that is malformed", async () => {
    const result = await inHome(["login", "--with-access-token"], { stdin: "not-a-token" });
    expect(result.stderr).toBe(
      `${reading}Error logging in with access token: invalid agent identity JWT format: it does not have three parts. Pass the whole agent identity JWT, and nothing else.\n`,
    );
    expect([result.exitCode, result.stdout, result.stored]).toEqual([1, "", null]);
  });

  it("with an unknown personal access token ends with 1, not 4", async () => {
    const result = await inHome(["login", "--with-access-token"], {
      stdin: "at-unknown",
      env: { CODEX_AUTHAPI_BASE_URL: authority.accountsBaseUrl },
      auth: apiKey,
    });
    expect(result.stderr).toBe(
      `${reading}Error logging in with access token: personal access token was rejected with status 401. Create a new personal access token.\n`,
    );
    expect([result.exitCode, result.stdout, result.stored]).toEqual([1, "", apiKey]);
  });

  it.each([
    ["--with-api-key", "--with-access-token"],
    ["--with-agent-identity", "--device-auth"],
  ])("with two sources: %s %s", async (...flags) => {
    const result = await inHome(["login", ...flags], { auth: apiKey, stdin: "sk-new" });
    expect(result.stderr).toBe(
      "Choose one login credential source: --with-api-key, --with-access-token, --with-agent-identity or --device-auth.\n",
    );
    expect([result.exitCode, result.stdout, result.stored]).toEqual([1, "", apiKey]);
  });
});

describe.concurrent("logout", () => {
  it("that fails is reported in one line", async () => {
    await using home = await CliHome.make();
    const missing = join(home.path, "missing");
    const result = await home.run(["logout"], { env: { CODEX_HOME: missing } });
    expect(result.stderr).toBe(
      `Error logging out: CODEX_HOME ${missing}: that folder does not exist. Set CODEX_HOME to an existing folder that this user can read and write.\n`,
    );
    expect([result.exitCode, result.stdout]).toEqual([1, ""]);
  });

  it("is refused while a variable provides the credential", async () => {
    const env = { CODEX_API_KEY: "sk-a" };
    const result = await inHome(["logout"], { env, auth: apiKey });
    expect(result.stderr).toBe(
      "Error logging out: CODEX_API_KEY is set and is used instead of anything stored; nothing was changed. Unset CODEX_API_KEY first.\n",
    );
    expect([result.exitCode, result.stdout, result.stored]).toEqual([1, "", apiKey]);
  });
});

// Elsewhere there is always a keyring: that of the person who runs the tests.
describe.skipIf(process.platform !== "linux").concurrent("store auto without a keyring", () => {
  const config = 'cli_auth_credentials_store = "auto"\n';
  const env = { DBUS_SESSION_BUS_ADDRESS: "unix:path=/no/such/bus" };
  const warning = /^warning: OS keyring is not available .*\(LOGIN_KEYRING_UNAVAILABLE\)$/u;

  it("login warns once, and the file is written", async () => {
    const args = ["login", "--with-api-key"];
    const result = await inHome(args, { config, env, stdin: "sk-new" });
    expect(result.stderr.split("\n")).toEqual([
      "Reading API key from stdin...",
      expect.stringMatching(warning),
      "API key saved. Authentication is checked when you send a request.",
      "",
    ]);
    expect([result.exitCode, JSON.parse(result.stored ?? "null")]).toEqual([
      0,
      { auth_mode: "apikey", OPENAI_API_KEY: "sk-new" },
    ]);
  });

  it("logout warns once, and the file is removed", async () => {
    const result = await inHome(["logout"], { config, env, auth: apiKey });
    expect(result.stderr.split("\n")).toEqual([
      expect.stringMatching(warning),
      "Successfully logged out",
      "",
    ]);
    expect([result.exitCode, result.stored]).toEqual([0, null]);
  });
});
