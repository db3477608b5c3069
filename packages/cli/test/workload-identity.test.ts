import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startTestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { CliHome } from "./support/cli.ts";
import { RunningProxy } from "./support/proxy.ts";

const table = (keys: Readonly<Record<string, string>>) =>
  Object.entries(keys).flatMap(([key, value]) => [
    "-c",
    `agent_auth.workload_identity.${key}=${value}`,
  ]);

/** A home whose configuration moves every URL to an authority, and an identity token in a file. */
const open = async () => {
  const authority = await startTestAuthority();
  const home = await CliHome.make(
    [
      `chatgpt_base_url = "${authority.chatgptBaseUrl}"`,
      "[agent_auth.workload_identity]",
      `token_url = "${authority.url}/oauth/token"`,
    ].join("\n"),
  );
  const tokenFile = join(home.path, "identity.jwt");
  await writeFile(tokenFile, await authority.mintIdentityToken());
  const rule = authority.addFederationRule();
  const { identityProviderId, serviceAccountId } = authority.addServiceAccount();
  return {
    authority,
    home,
    env: { OPENAI_FEDERATION_RULE_ID: rule, OPENAI_IDENTITY_TOKEN_FILE: tokenFile },
    /** The arguments that choose an API token instead. */
    api: [
      ...table({
        source: "file",
        token_file: tokenFile,
        identity_provider_id: identityProviderId,
        service_account_id: serviceAccountId,
      }),
      "-c",
      `openai_base_url=${authority.openaiBaseUrl}`,
    ],
    async [Symbol.asyncDispose]() {
      await authority.close();
      await home[Symbol.asyncDispose]();
    },
  };
};

/** Prints the variables that select or carry a credential. */
const reporter = [
  process.execPath,
  "-p",
  "JSON.stringify(Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(CODEX_A|OPENAI_|AGENT_AUTH_)/.test(name))))",
];

const names =
  "JSON.stringify(Object.keys(process.env).filter((name) => /^(ACTIONS_|CODEX_A|OPENAI_|AGENT_AUTH_)/.test(name)))";

describe("with a workload identity", () => {
  it("login status names it, with account and source", async () => {
    await using setup = await open();
    const { authority, env, home } = setup;
    const { exitCode, stderr, stdout } = await home.run(["login", "status"], { env });
    expect(stderr.split("\n").slice(0, 5)).toEqual([
      "Logged in using workload identity",
      `  account:   ${authority.account.email}`,
      `  workspace: ${authority.account.accountId}`,
      "  plan:      pro",
      "  source:    workload identity (file)",
    ]);
    expect([exitCode, stdout]).toEqual([0, ""]);
    expect(authority.requests.map(({ endpoint }) => endpoint)).toEqual(["workloadExchange"]);
  });

  it("login status reports what is missing, as Codex does", async () => {
    await using setup = await open();
    const env = { OPENAI_FEDERATION_RULE_ID: "" };
    const { exitCode, stderr } = await setup.home.run(["login", "status"], { env });
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      "Error checking login status: workload identity variable OPENAI_FEDERATION_RULE_ID is invalid. Set OPENAI_FEDERATION_RULE_ID, or unset all variables of the workload identity.\n",
    );
  });

  it.skipIf(process.platform === "win32")("login status asks a SPIFFE Workload API", async () => {
    await using setup = await open();
    const { authority, home } = setup;
    const socket = join(home.path, "agent.sock");
    await using api = await authority.serveWorkloadApi(socket);
    const env = {
      OPENAI_FEDERATION_RULE_ID: setup.env.OPENAI_FEDERATION_RULE_ID,
      OPENAI_IDENTITY_TOKEN_SOURCE: "spiffe",
      OPENAI_SPIFFE_AUDIENCE: "aud-1",
      SPIFFE_ENDPOINT_SOCKET: `unix://${socket}`,
    };
    const { exitCode, stderr } = await home.run(["login", "status"], { env });
    expect(stderr).toContain("  source:    workload identity (spiffe)\n");
    expect([exitCode, api.requests.length]).toEqual([0, 1]);
  });

  it("app-server serves its account, and no client can sign in or out", async () => {
    await using setup = await open();
    const { authority, env, home } = setup;
    const requests = [
      ["initialize", { clientInfo: { name: "test", version: "1" } }],
      ["account/read", {}],
      ["account/login/start", { type: "apiKey", apiKey: "sk-new-1234567890" }],
      ["account/logout", {}],
      ["account/read", {}],
    ] as const;
    const stdin = requests
      .map(([method, params], id) => `${JSON.stringify({ id, method, params })}\n`)
      .join("");
    const { exitCode, stdout } = await home.run(["app-server"], { env, stdin });
    const account = { type: "chatgpt", email: authority.account.email };
    const refused = {
      code: -32600,
      message:
        "Configured external authentication is owned by the app-server host and cannot be changed through account RPCs.",
    };
    const answers = stdout
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line))
      .filter((message) => Object.hasOwn(Object(message), "id")); // without notifications
    expect(answers).toMatchObject([
      { id: 0 },
      { id: 1, result: { account } },
      { id: 2, error: refused },
      { id: 3, error: refused },
      { id: 4, result: { account } },
    ]);
    expect(exitCode).toBe(0);
  });

  it("app-server does not start if the identity token cannot be exchanged", async () => {
    await using setup = await open();
    const env = { ...setup.env, OPENAI_IDENTITY_TOKEN_FILE: join(setup.home.path, "missing") };
    const { exitCode, stderr, stdout } = await setup.home.run(["app-server"], { env });
    expect([exitCode, stdout]).toEqual([1, ""]);
    // The background refresh may have tried it as well.
    expect(stderr).toMatch(/^(?:warning: [^\n]*\n)?Error: could not read workload identity/u);
  });

  it("api sends a request with its token, after one exchange", async () => {
    await using setup = await open();
    const { authority, env, home } = setup;
    const { exitCode, stdout } = await home.run(["api", "/models"], { env });
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { object: "list" }]);
    const [exchange] = authority.requests;
    const [models] = authority.requestsTo("models");
    expect(exchange?.endpoint).toBe("workloadExchange");
    expect(authority.count("workloadExchange")).toBe(1);
    expect(models?.path).toBe("/backend-api/codex/models");
    expect(models?.headers["chatgpt-account-id"]).toBe(authority.account.accountId);
  });

  it("api sends a request to the API with the token of a service account", async () => {
    await using setup = await open();
    const { api, authority, home } = setup;
    const { exitCode } = await home.run(["api", "/models", ...api]);
    expect(exitCode).toBe(0);
    const [exchange, models] = authority.requests;
    expect(exchange?.endpoint).toBe("apiWorkloadExchange");
    expect(models?.path).toBe("/v1/models");
    expect(models?.headers["authorization"]).toMatch(/^Bearer sk-wif-/);
  });

  it("token prints it", async () => {
    await using setup = await open();
    const { stdout } = await setup.home.run(["token", ...setup.api]);
    expect(stdout).toMatch(/^sk-wif-[\w-]+\n$/);
  });

  it("exec hands a workspace token over, and none of the variables that select the identity", async () => {
    await using setup = await open();
    const { authority, home } = setup;
    const env = { ...setup.env, OPENAI_WORKLOAD_IDENTITY_CONTEXT: "{}", CODEX_API_KEY: "sk-other" };
    const { stdout } = await home.run(["exec", "--", ...reporter], { env });
    const given: Record<string, string> = JSON.parse(stdout);
    expect(Object.keys(given)).toEqual(["AGENT_AUTH_CONFIG", "CODEX_ACCESS_TOKEN"]);
    expect(given["CODEX_ACCESS_TOKEN"]?.split(".")).toHaveLength(3);
    expect(authority.count("workloadExchange")).toBe(1);
  });

  it("exec hands an API token over, which a library in the program uses", async () => {
    await using setup = await open();
    const { api, authority, home } = setup;
    const { stdout } = await home.run(["exec", ...api, "--", ...reporter]);
    const given: Record<string, string> = JSON.parse(stdout);
    expect(given["CODEX_API_KEY"]).toMatch(/^sk-wif-/);
    const child = await home.run(["token"], { env: given });
    expect(child.stdout).toBe(`${given["CODEX_API_KEY"]}\n`);
    expect(authority.count("apiWorkloadExchange")).toBe(1);
  });

  it("exec keeps the variables of GitHub Actions, with which it obtained the token, to itself", async () => {
    await using setup = await open();
    const { api, authority, home } = setup;
    const args = [...api, ...table({ source: "github-actions", audience: "aud-1" })];
    const env = authority.platformVariables("github-actions");
    const { stdout } = await home.run(["exec", ...args, "--", process.execPath, "-p", names], {
      env,
    });
    expect(JSON.parse(stdout)).toEqual(["AGENT_AUTH_CONFIG", "CODEX_API_KEY"]);
  });

  it("the proxy serves many requests after one exchange", async () => {
    await using setup = await open();
    const { api, authority, home } = setup;
    await using proxy = await RunningProxy.start(home, api);
    const statuses = await Promise.all(
      Array.from({ length: 5 }, async () => (await fetch(`${proxy.baseUrl}/models`)).status),
    );
    expect(statuses).toEqual([200, 200, 200, 200, 200]);
    expect(authority.count("apiWorkloadExchange")).toBe(1);
  });

  it("login and logout say that it is used instead of anything stored", async () => {
    await using setup = await open();
    const { api, env, home } = setup;
    const login = await home.run(["login", "--with-api-key"], { env, stdin: "sk-new" });
    expect(login.stderr).toContain("OPENAI_FEDERATION_RULE_ID is set and is used instead");
    const logout = await home.run(["logout", ...api]);
    expect(logout.stderr).toContain("agent_auth.workload_identity is set and is used instead");
    expect([login.exitCode, logout.exitCode, await home.readAuth()]).toEqual([1, 1, null]);
  });

  it("never shows the identity token, the access token or a response's text", async () => {
    await using setup = await open();
    const { authority, env, home } = setup;
    authority.behave("workloadExchange", { status: 400, body: "canary-body" });
    const { exitCode, stderr } = await home.run(["api", "/models", "--verbose"], { env });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("the workload identity token exchange was rejected with HTTP 400");
    expect(stderr).not.toMatch(/canary|eyJ/);
  });
});
