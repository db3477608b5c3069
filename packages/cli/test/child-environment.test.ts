import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startTestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { CliHome } from "./support/cli.ts";

/** Which child gets a variable of ours: `exec` uses the identity of GitHub Actions, the others their provider's command. */
const rows = [
  // What carries or selects a credential: no child gets it, except the one credential that `exec` passes on.
  { name: "CODEX_API_KEY", exec: "the access token", command: false },
  { name: "CODEX_AGENT_IDENTITY", exec: false, command: false },
  { name: "CODEX_ACCESS_TOKEN", exec: false, command: false },
  { name: "OPENAI_SPIFFE_AUDIENCE", exec: false, command: false },
  { name: "OPENAI_SPIFFE_ID", exec: false, command: false },
  { name: "OPENAI_WORKLOAD_IDENTITY_CONTEXT", exec: false, command: false },
  // With what the configured identity is obtained.
  { name: "ACTIONS_ID_TOKEN_REQUEST_TOKEN", exec: false, command: false },
  { name: "ACTIONS_ID_TOKEN_REQUEST_URL", exec: false, command: false },
  // The configuration: `exec` hands it on, without the workload identity.
  { name: "AGENT_AUTH_CONFIG", exec: "a configuration", command: false },
  // Not ours: other programs use them, or they are the purpose of the command.
  { name: "OPENAI_API_KEY", exec: true, command: true },
  { name: "MY_TOKEN", exec: true, command: true },
  { name: "CIRCLE_OIDC_TOKEN", exec: true, command: true },
  { name: "SPIFFE_ENDPOINT_SOCKET", exec: true, command: true },
  { name: "CODEX_HOME", exec: true, command: true },
  { name: "HTTPS_PROXY", exec: true, command: true },
  // Of CODEX_HOME/.env, as in Codex.
  { name: "FROM_DOT_ENV", exec: false, command: true },
] as const;

const open = async (provider: string) => {
  const authority = await startTestAuthority();
  const home = await CliHome.make(
    [
      `openai_base_url = "${authority.openaiBaseUrl}"`,
      provider.replaceAll("AUTHORITY", authority.url),
    ].join("\n"),
  );
  await writeFile(join(home.path, ".env"), "FROM_DOT_ENV=1\n");
  const seen = join(home.path, "seen.json");
  const script = `require("node:fs").writeFileSync(${JSON.stringify(seen)}, JSON.stringify(process.env)); console.log("token-1")`;
  await writeFile(join(home.path, "report.cjs"), script);
  const { identityProviderId, serviceAccountId } = authority.addServiceAccount();
  const env = {
    ...Object.fromEntries(rows.map(({ name }) => [name, "1"])),
    FROM_DOT_ENV: "",
    CODEX_HOME: home.path,
    HTTPS_PROXY: "http://proxy.invalid:1",
    ...authority.platformVariables("github-actions"),
    AGENT_AUTH_CONFIG: `
      [agent_auth.workload_identity]
      source = "github-actions"
      audience = "https://api.openai.com/v1"
      token_url = "${authority.url}/oauth/token"
      identity_provider_id = "${identityProviderId}"
      service_account_id = "${serviceAccountId}"`,
  };
  return {
    env,
    home,
    seen: async (): Promise<Readonly<Record<string, string>>> =>
      JSON.parse(await readFile(seen, "utf8")),
    async [Symbol.asyncDispose]() {
      await authority.close();
      await home[Symbol.asyncDispose]();
    },
  };
};

const command = `{ command = "${process.execPath}", args = ["./report.cjs"] }`;

/** Names of the rows that a child got. */
const gotten = (seen: Readonly<Record<string, string>>) =>
  rows.flatMap(({ name }) => ((seen[name] ?? "") === "" ? [] : [name]));

describe("the environment of a child", () => {
  it("is, for exec, that of the caller with one credential", async () => {
    await using setup = await open("");
    const args = ["exec", "--", process.execPath, join(setup.home.path, "report.cjs")];
    const { exitCode, stderr } = await setup.home.run(args, { env: setup.env });
    expect([exitCode, stderr]).toEqual([0, ""]);
    const seen = await setup.seen();
    expect(gotten(seen)).toEqual(rows.flatMap(({ exec, name }) => (exec === false ? [] : [name])));
    expect(seen["CODEX_API_KEY"]).not.toBe("1");
    expect(seen["AGENT_AUTH_CONFIG"]).toContain('source = "none"');
  });

  it.each([
    ["token", `auth = ${command}`],
    ["credential_export", `gateway_oauth = { credential_export = ${command} }`],
  ])(
    "is, for a %s command, that of the caller without credentials and configuration",
    async (_, key) => {
      await using setup = await open(
        `model_provider = "own"\n[model_providers.own]\nbase_url = "AUTHORITY/gateway/v1"\n${key}`,
      );
      await setup.home.run(["api", "/models"], { env: setup.env });
      expect(gotten(await setup.seen())).toEqual(
        rows.flatMap(({ command, name }) => (command ? [name] : [])),
      );
    },
  );
});
