import { type Account, startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { CliHome } from "./support/cli.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority();
});
afterAll(() => authority.close());

const config = () =>
  `chatgpt_base_url = "${authority.chatgptBaseUrl}"\nopenai_base_url = "${authority.openaiBaseUrl}"\n`;
const codexHome = () => CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
const request = '{"model":"gpt-5","input":"Say hello.","stream":true}';

/** What `login` stores of an agent that the authority's account owns. */
let stored: string | null = null;

/** A home in which an agent is signed in: of that account, or the one whose sign-in all tests share. */
const signedIn = async (options?: { readonly account: Account }) => {
  const home = await codexHome();
  if (options === undefined && stored !== null) {
    await home.writeAuth(stored);
    return home;
  }
  const jwt = await authority.mintAgentIdentityJwt(options);
  const login = await home.run(["login", "--with-agent-identity"], { stdin: jwt });
  expect(login.exitCode).toBe(0);
  if (options === undefined) stored = await home.readAuth();
  return home;
};

describe("login status", () => {
  it("shows which agent is signed in, where it is stored and when it expires", async () => {
    const account = authority.createAccount({ email: "status@example.com", planType: "team" });
    await using home = await signedIn({ account });
    const { exitCode, stdout, stderr } = await home.run(["login", "status"]);
    const lines = stderr.trimEnd().split("\n");
    expect(lines[0]).toBe("Logged in using access token");
    expect(lines.slice(1)).toEqual([
      "  account:   status@example.com",
      `  workspace: ${account.accountId}`,
      "  plan:      team",
      `  source:    ${home.authFile}`,
      expect.stringMatching(/^ {2}expires: {3}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \(in 59 minutes\)$/u),
    ]);
    expect([exitCode, stdout]).toEqual([0, ""]);
  });

  it("answers the same in JSON, the private key apart", async () => {
    const account = authority.createAccount({ email: "json@example.com" });
    await using home = await signedIn({ account });
    const { exitCode, stdout, stderr } = await home.run(["login", "status", "--json"]);
    expect(JSON.parse(stdout)).toEqual({
      loggedIn: true,
      method: "agentIdentity",
      account: {
        accountId: account.accountId,
        userId: account.userId,
        email: "json@example.com",
        plan: account.planType,
        isFedramp: false,
      },
      source: { kind: "file", path: home.authFile },
      expiresAt: expect.stringMatching(/Z$/u),
    });
    expect([exitCode, stderr]).toEqual([0, ""]);
  });

  it("is signed out if nothing is stored", async () => {
    await using home = await codexHome();
    const text = await home.run(["login", "status"]);
    expect([text.exitCode, text.stdout, text.stderr]).toEqual([1, "", "Not logged in\n"]);
    const json = await home.run(["login", "status", "--json"]);
    expect([json.exitCode, JSON.parse(json.stdout)]).toEqual([1, { loggedIn: false }]);
  });

  it("shows an API key masked, and from the environment first", async () => {
    await using home = await signedIn();
    const { exitCode, stderr } = await home.run(["login", "status"], {
      env: { CODEX_API_KEY: "sk-proj-1234567890ABCDE", CODEX_ACCESS_TOKEN: "nonsense" },
    });
    expect(stderr).toBe(
      "API key configured - sk-proj-***ABCDE\nAuthentication is checked when you send a request.\n  source: CODEX_API_KEY\n",
    );
    expect(exitCode).toBe(0);
  });

  it("shows a personal access token and its owner", async () => {
    await using home = await codexHome();
    const env = {
      CODEX_ACCESS_TOKEN: authority.mintPersonalAccessToken(),
      CODEX_AUTHAPI_BASE_URL: authority.accountsBaseUrl,
    };
    const { exitCode, stderr } = await home.run(["login", "status"], { env });
    expect(stderr).toContain("Logged in using personal access token\n");
    expect(stderr).toContain(authority.account.email);
    expect(exitCode).toBe(0);
  });

  it("reports a violated restriction and removes nothing", async () => {
    await using home = await signedIn();
    const before = await home.readAuth();
    const restricted = ["-c", 'forced_chatgpt_workspace_id=["ws-other"]'];
    const { exitCode, stderr } = await home.run(["login", "status", ...restricted]);
    expect(stderr).toMatch(
      /^Login is restricted to workspace ws-other, but [^\n]* belong to \S+\.\n$/u,
    );
    expect(exitCode).toBe(1);
    expect(await home.readAuth()).toBe(before);
  });
});

describe("api", () => {
  it("streams a model's answer with an agent assertion", async () => {
    await using home = await signedIn();
    const { exitCode, stdout, stderr } = await home.run(["api", "responses", "-d", request]);
    expect(stdout).toContain("event: response.completed");
    expect([exitCode, stderr]).toEqual([0, ""]);
    const sent = authority.requestsTo("responses").at(-1);
    expect(sent?.headers.authorization).toMatch(/^AgentAssertion /u);
    expect(sent?.headers["content-type"]).toBe("application/json");
    expect(sent?.headers["originator"]).toBe("codex_cli_rs");
    expect(sent?.headers["user-agent"]).toMatch(/^agent-auth\/\d/u);
    expect(sent?.body).toBe(request);
  });

  it.each(["CODEX_AGENT_IDENTITY", "CODEX_ACCESS_TOKEN"])(
    "works from %s without any file",
    async (variable) => {
      await using home = await codexHome();
      const env = { [variable]: await authority.mintAgentIdentityJwt() };
      const { exitCode, stdout } = await home.run(["api", "/responses", "-d", request], { env });
      expect(stdout).toContain("response.completed");
      expect(exitCode).toBe(0);
      expect(await home.readAuth()).toBeNull();
    },
  );

  it("prefers CODEX_API_KEY to everything else", async () => {
    await using home = await CliHome.make(config());
    const key = authority.addApiKey();
    const env = { CODEX_API_KEY: key, CODEX_AGENT_IDENTITY: "broken" };
    const { exitCode } = await home.run(["api", "responses", "-d", request], { env });
    expect(exitCode).toBe(0);
    expect(authority.requestsTo("responses").at(-1)?.headers.authorization).toBe(`Bearer ${key}`);
  });

  it("prints status line and headers with -i, and reads the body from a file or stdin", async () => {
    await using home = await signedIn();
    const file = join(home.path, "request.json");
    await writeFile(file, request);
    for (const [input, stdin] of [
      [file, ""],
      ["-", request],
    ] as const) {
      const { exitCode, stdout } = await home.run(["api", "responses", "-i", "--input", input], {
        stdin,
      });
      expect(stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n(?:[a-z-]+: .*\r\n)+\r\nevent: /u);
      expect(exitCode).toBe(0);
      expect(authority.requestsTo("responses").at(-1)?.body).toBe(request);
    }
  });

  it("sends the given method and headers, but never another identity", async () => {
    await using home = await signedIn();
    const { exitCode } = await home.run([
      "api",
      "responses",
      "-X",
      "post",
      "-d",
      request,
      "-H",
      "X-Own: 1",
      "-H",
      "Authorization: Bearer x",
    ]);
    expect(exitCode).toBe(0);
    const sent = authority.requestsTo("responses").at(-1);
    expect(sent?.headers["x-own"]).toBe("1");
    expect(sent?.headers.authorization).toMatch(/^AgentAssertion /u);
  });

  it("streams a refusal's body too, and ends with 1, or 4 for a 401", async () => {
    await using home = await signedIn();
    const missing = await home.run(["api", "no-such-thing"]);
    expect(missing.exitCode).toBe(1);
    expect(missing.stdout).toContain("error");
    expect(missing.stderr).toMatch(/^Error: the server responded with 404/u);
    authority.behave("responses", { status: 401 });
    const unauthorized = await home.run(["api", "responses", "-d", request]);
    authority.resetBehaviour();
    expect(unauthorized.exitCode).toBe(4);
    expect(unauthorized.stderr).toContain("401");
  });

  it("sends nothing to another origin, and nothing above the base URL", async () => {
    await using home = await signedIn();
    const before = authority.requests.length;
    for (const path of [
      "https://evil.example/responses",
      "http://127.0.0.1:1/responses",
      "../../secret",
      "..%2f..%2fsecret",
    ]) {
      const result = await home.run(["api", path]);
      expect(result.exitCode).toBe(1);
      expect(result.stdout).toBe("");
      expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
    }
    const after = authority.requests.slice(before).filter(({ endpoint }) => endpoint === "unknown");
    expect(after).toEqual([]);
  });

  it.each(["trace", "CONNECT"])("never sends %s, which shows credentials", async (method) => {
    await using home = await signedIn();
    const before = authority.requests.length;
    const result = await home.run(["api", "models", "-X", method]);
    expect(result.stderr).toContain(`${method.toUpperCase()} would reveal the credential`);
    expect(result.exitCode).toBe(2);
    expect(authority.requests).toHaveLength(before);
  });

  it("needs a sign-in, and sends nothing without one", async () => {
    await using home = await codexHome();
    const before = authority.count("responses");
    const { exitCode, stdout, stderr } = await home.run(["api", "responses", "-d", request]);
    expect(stderr).toContain("Run: agent-auth login");
    expect([exitCode, stdout]).toEqual([4, ""]);
    expect(authority.count("responses")).toBe(before);
  });

  it("names an input file that is not there", async () => {
    await using home = await signedIn();
    const { exitCode, stderr } = await home.run(["api", "responses", "--input", "/no/such/file"]);
    expect(stderr).toBe(
      "Error sending request: cannot read /no/such/file: there is no such file or folder. Check the file's name.\n",
    );
    expect(exitCode).toBe(1);
  });

  it("stops quietly when the reader of stdout is gone", async () => {
    await using home = await signedIn();
    authority.behave(
      "responses",
      { respond: () => ({ status: 200, headers: {}, body: "x".repeat(4 * 1024 * 1024) }) },
      { times: 1 },
    );
    const child = home.spawn(["api", "responses", "-d", request]);
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdout.once("data", () => child.stdout.destroy());
    const exitCode = await new Promise((resolve) => child.on("close", resolve));
    expect([exitCode, stderr]).toEqual([0, ""]);
  });

  it("ends with 2 on Ctrl-C in the middle of an answer", async () => {
    await using home = await signedIn();
    authority.behave("responses", "hang", { times: 1 });
    const child = home.spawn(["api", "responses", "-d", request]);
    const seen = authority.count("responses");
    await authority.waitForRequest("responses", { nth: seen + 1 });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.kill("SIGINT");
    const exitCode = await new Promise((resolve) => child.on("close", resolve));
    expect([exitCode, stderr]).toEqual([2, ""]);
  });
});

describe("--verbose", () => {
  it("logs each request without query, headers or bodies", async () => {
    await using home = await signedIn();
    const path = "responses?key=canary-query";
    const { exitCode, stderr } = await home.run(["api", path, "-d", request, "--verbose"]);
    expect(exitCode).toBe(0);
    const url = `${authority.chatgptBaseUrl}/codex/responses`;
    expect(stderr).toContain(`> POST ${url}\n`);
    expect(stderr).toMatch(/< 200 POST \S+\/responses \d+ms\n/u);
    expect(stderr).not.toMatch(/canary|AgentAssertion|Say hello/u);
  });
});

describe("verification keys", () => {
  it("are fetched once for many processes, while the set is fresh", async () => {
    await using authority = await startTestAuthority();
    await using home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    for (const args of [["login", "status"], ["login", "status"], ["token"], ["headers"]]) {
      expect((await home.run(args, { env })).exitCode).toBe(0);
    }
    expect(authority.count("jwks")).toBe(1);
    const folder = join(home.path, "agent-auth");
    const [file = "", ...others] = await readdir(folder);
    expect([file, others]).toEqual([expect.stringMatching(/^jwks-[0-9a-f]{16}\.json$/u), []]);
    expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
  });

  it("are fetched again for a token with a newer key", async () => {
    await using authority = await startTestAuthority();
    await using home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
    const old = await authority.mintAgentIdentityJwt();
    await home.run(["login", "status"], { env: { CODEX_AGENT_IDENTITY: old } });
    await authority.rotateSigningKey();
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    expect((await home.run(["login", "status"], { env })).exitCode).toBe(0);
    expect(authority.count("jwks")).toBe(2);
    expect((await home.run(["login", "status"], { env })).exitCode).toBe(0);
    expect(authority.count("jwks")).toBe(2);
  });

  it("are fetched by doctor and jwks whatever is kept", async () => {
    await using authority = await startTestAuthority();
    await using home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    await home.run(["login", "status"], { env });
    await home.run(["doctor"], { env });
    expect(authority.count("jwks")).toBe(2);
    await home.run(["jwks"], { env });
    expect(authority.count("jwks")).toBe(3);
    authority.behave("jwks", { status: 503 });
    expect((await home.run(["jwks"], { env })).exitCode).toBe(1);
    expect((await home.run(["doctor"], { env })).stdout).toContain("responded with status 503");
  });

  it("of a kept account are not left in its folder", async () => {
    await using home = await codexHome();
    const stdin = await authority.mintAgentIdentityJwt();
    await home.run(["accounts", "add", "robot", "--with-agent-identity"], { stdin });
    await home.run(["accounts", "remove", "robot"]);
    expect(await readdir(join(home.path, "accounts"))).toEqual([]);
  });
});

/** A ChatGPT sign-in that is about to expire, and an authority that does not refresh it. */
const notRefreshed = async () => {
  const authority = await startTestAuthority();
  const home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
  const tokens = await authority.mintChatgptTokens({ expiresInSeconds: 60 });
  await home.writeAuth(chatgptSignIn(authority, tokens));
  authority.behave("refresh", { status: 400 });
  return {
    home,
    refreshes: () => authority.count("refresh"),
    [Symbol.asyncDispose]: async () => {
      await home[Symbol.asyncDispose]();
      await authority.close();
    },
  };
};

describe("a warning of the packages", () => {
  it.each([
    ["token, which has its own bundle", ["token", "--json"]],
    ["headers, in the main bundle", ["headers", "--json"]],
  ])("is a line on stderr, and stdout stays JSON: %s", async (_, args) => {
    await using running = await notRefreshed();
    const { exitCode, stdout, stderr } = await running.home.run(args);
    expect(() => JSON.parse(stdout)).not.toThrow();
    expect(stderr).toMatch(/^warning: the access token could not be refreshed yet: .+\n$/u);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(exitCode).toBe(0);
  });

  it("is ignored by login status, which refreshes nothing", async () => {
    await using running = await notRefreshed();
    const { exitCode, stderr } = await running.home.run(["login", "status", "--json"]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(running.refreshes()).toBe(0);
  });

  it("is silenced by --quiet", async () => {
    await using running = await notRefreshed();
    const { exitCode, stderr } = await running.home.run(["token", "--json", "-q"]);
    expect([exitCode, stderr]).toEqual([0, ""]);
  });
});
