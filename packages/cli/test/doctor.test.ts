import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { chmod, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliHome } from "./support/cli.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority();
});
afterAll(() => authority.close());

const codexHome = (more = "") =>
  CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n${more}`);

/** A home where API keys stay here, too. */
const keysHere = () => codexHome(`openai_base_url = "${authority.openaiBaseUrl}"\n`);

interface Line {
  readonly name: string;
  readonly status: string;
  readonly detail: string;
  readonly fix: string | null;
}

const examine = async (home: CliHome, env: Readonly<Record<string, string>> = {}) => {
  const { exitCode, stdout } = await home.run(["doctor", "--json"], { env });
  const answer: { readonly ok: boolean; readonly checks: readonly Line[] } = JSON.parse(stdout);
  const line = (name: string) => answer.checks.find((check) => check.name === name);
  return { exitCode, ok: answer.ok, checks: answer.checks, line };
};

describe("doctor", () => {
  it("finds no problem if there is none", async () => {
    await using home = await codexHome();
    const jwt = await authority.mintAgentIdentityJwt({});
    await home.run(["login", "--with-agent-identity"], { stdin: jwt });
    const { exitCode, ok, checks } = await examine(home);
    expect(checks.filter((check) => check.status !== "ok")).toEqual([]);
    expect(checks.map((check) => check.name)).toEqual([
      "program",
      "home",
      "config",
      "keys",
      "requirements",
      "file",
      "store",
      "environment",
      "lock",
      "tls",
      "jwks",
      "clock",
      "provider",
      "credential",
      "restrictions",
    ]);
    expect([exitCode, ok]).toEqual([0, true]);
    const text = await home.run(["doctor"]);
    expect(text.stdout).toMatch(/^ok {4}program {7}agent-auth /u);
    expect(text.stdout).not.toContain("\u001b");
  });

  it("says how to sign in if no account is signed in", async () => {
    await using home = await codexHome();
    const { exitCode, line } = await examine(home);
    expect(line("credential")).toEqual({
      name: "credential",
      status: "fail",
      detail: "not signed in",
      fix: "Run: agent-auth login",
    });
    expect(exitCode).toBe(1);
  });

  it("warns of a file that others may read, and of a variable that provides the credential", async () => {
    await using home = await keysHere();
    await home.writeAuth({ OPENAI_API_KEY: "sk-stored" });
    await chmod(home.authFile, 0o644);
    const { exitCode, line } = await examine(home, { CODEX_API_KEY: "sk-ruling" });
    expect(line("file")).toMatchObject({ status: "warn", fix: `chmod 600 ${home.authFile}` });
    expect(line("environment")).toMatchObject({
      status: "warn",
      fix: "To use the stored one: unset CODEX_API_KEY",
    });
    expect(exitCode).toBe(0);
  });

  it("reports that another program holds the lock, and that it cannot be taken", async () => {
    await using home = await keysHere();
    const env = { CODEX_API_KEY: "sk-x" };
    expect((await examine(home, env)).line("lock")).toEqual({
      name: "lock",
      status: "ok",
      detail: "can be taken",
      fix: null,
    });
    const path = join(home.path, "agent-auth.lock");
    const holder = new DatabaseSync(path);
    holder.exec("BEGIN EXCLUSIVE");
    expect((await examine(home, env)).line("lock")).toMatchObject({
      status: "warn",
      detail: `${path} is held by another program`,
    });
    holder.close();
    await rm(path);
    await mkdir(path);
    const { line, exitCode } = await examine(home, env);
    expect(line("lock")).toMatchObject({ status: "fail" });
    expect(line("lock")?.detail).toContain(path);
    expect(exitCode).toBe(1);
  });

  it("reports a model provider that does not exist", async () => {
    await using home = await codexHome('model_provider = "nope"\n');
    const { line, exitCode } = await examine(home, { CODEX_API_KEY: "sk-x" });
    expect(line("provider")).toEqual({
      name: "provider",
      status: "fail",
      detail: "Model provider `nope` not found",
      fix: "Choose one of openai, or add [model_providers.nope] to config.toml.",
    });
    expect(exitCode).toBe(1);
  });

  it("finds nothing to fix in a CI job that has its credential in a variable", async () => {
    await using home = await codexHome();
    const jwt = await authority.mintAgentIdentityJwt();
    const { checks, line } = await examine(home, { CODEX_AGENT_IDENTITY: jwt });
    expect(line("environment")?.detail).toBe("CODEX_AGENT_IDENTITY provides the credential");
    expect(checks.filter(({ status }) => status !== "ok")).toEqual([]);
  });

  it.each([
    ["uses OWN_KEY", 'env_key = "OWN_KEY"'],
    ["has its own token", 'experimental_bearer_token = "own"'],
    ["has a token command", 'auth = { command = "true" }'],
    ["uses no sign-in", 'http_headers = { "x-key" = "own" }'],
  ])("requires no sign-in if the model provider %s", async (words, toml) => {
    await using home = await codexHome(
      `model_provider = "own"\n[model_providers.own]\nname = "Own"\nbase_url = "${authority.openaiBaseUrl}"\n${toml}\n`,
    );
    const { checks, exitCode, line } = await examine(home, { OWN_KEY: "own-1" });
    expect(line("credential")?.detail).toBe(
      `not signed in, and not needed: model provider own ${words}`,
    );
    expect(checks.filter(({ status }) => status !== "ok")).toEqual([]);
    expect(exitCode).toBe(0);
  });

  it("names a violated restriction and removes nothing", async () => {
    await using home = await codexHome('forced_chatgpt_workspace_id = ["ws-other"]\n');
    const jwt = await authority.mintAgentIdentityJwt();
    await home.writeAuth({ auth_mode: "agentIdentity", OPENAI_API_KEY: null, agent_identity: jwt });
    const before = await home.readAuth();
    const { line } = await examine(home);
    expect(line("restrictions")).toMatchObject({ status: "fail" });
    expect(line("restrictions")?.detail).toContain("restricted to workspace ws-other");
    expect(line("restrictions")?.detail).not.toContain("Logging out");
    expect(await home.readAuth()).toBe(before);
  });

  it("measures the clock against the server's", async () => {
    await using home = await keysHere();
    authority.behave("jwks", {
      respond: async () => ({
        status: 200,
        headers: {
          "content-type": "application/json",
          date: new Date(Date.now() - 600_000).toUTCString(),
        },
        body: JSON.stringify(await authority.jwks()),
      }),
    });
    const { line } = await examine(home, { CODEX_API_KEY: "sk-x" });
    authority.resetBehaviour();
    expect(line("clock")).toMatchObject({ status: "fail" });
    expect(line("clock")?.detail).toMatch(/^(?:599|600|601) s ahead of the server's$/u);
  });

  it("tells a backend that is down from a configuration that is broken", async () => {
    await using down = await CliHome.make(
      'chatgpt_base_url = "http://127.0.0.1:1/backend-api"\nopenai_base_url = "http://127.0.0.1:1/v1"\n',
    );
    const unreachable = await examine(down, { CODEX_API_KEY: "sk-x" });
    expect(unreachable.line("jwks")).toMatchObject({ status: "fail" });
    expect(unreachable.line("provider")).toMatchObject({ status: "fail" });
    expect(unreachable.line("credential")).toMatchObject({ status: "ok" });
    for (const { fix } of unreachable.checks) expect(fix ?? "").not.toContain("agent-auth doctor");
    await using broken = await CliHome.make("chatgpt_base_url = 7\n");
    const { checks, exitCode } = await examine(broken);
    expect(checks.map(({ name, status }) => [name, status])).toEqual([
      ["program", "ok"],
      ["config", "fail"],
    ]);
    expect(exitCode).toBe(1);
  });

  it("asks for the provider where requests with this kind of credential go", async () => {
    await using home = await codexHome();
    const noWayOut = { HTTPS_PROXY: "http://127.0.0.1:1", NO_PROXY: "127.0.0.1" };
    const key = await examine(home, { ...noWayOut, CODEX_API_KEY: "sk-x" });
    expect(key.line("provider")).toMatchObject({ status: "fail" });
    expect(key.line("provider")?.detail).toContain("https://api.openai.com/");
    const jwt = await authority.mintAgentIdentityJwt();
    const agent = await examine(home, { ...noWayOut, CODEX_AGENT_IDENTITY: jwt });
    expect(agent.line("provider")).toMatchObject({
      status: "ok",
      detail: `openai at ${authority.chatgptBaseUrl}/codex can be reached`,
    });
  });

  it("names certificates and proxies that cannot be used, passwords apart", async () => {
    await using home = await keysHere();
    const bundle = await examine(home, { CODEX_CA_CERTIFICATE: "/no/such.pem" });
    expect(bundle.line("tls")).toMatchObject({ status: "fail" });
    expect(bundle.line("tls")?.detail).toContain("/no/such.pem");
    const proxy = await examine(home, {
      HTTPS_PROXY: "http://user:canary@127.0.0.1:1",
      NO_PROXY: "127.0.0.1",
    });
    expect(proxy.line("tls")?.detail).toContain("HTTPS_PROXY http://127.0.0.1:1");
    expect(JSON.stringify(proxy.checks)).not.toContain("canary");
  });
});
