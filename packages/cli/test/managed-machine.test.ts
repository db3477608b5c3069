import { startTestAuthority } from "@agent-auth/test-authority";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { findCodex } from "@agent-auth/tools/codex";
import { describe, expect, it, onTestFinished } from "vitest";
import { agentAuth, CliHome } from "./support/cli.ts";
import { missingNamespace, onMachine } from "./support/machine.ts";

if (missingNamespace !== undefined) console.warn(`skipped: ${missingNamespace}`);

const timeout = 60_000;
const key = { auth_mode: "apikey", OPENAI_API_KEY: "sk-proj-1234567890ABCDE" };
const where = "/etc/codex/requirements.toml";

const run = async (
  files: Readonly<Record<string, string>>,
  args: readonly string[],
  options: { readonly config?: string; readonly stdin?: string } = {},
) => {
  const home = await CliHome.make(options.config);
  onTestFinished(() => home[Symbol.asyncDispose]());
  await home.writeAuth(key);
  const before = await home.readAuth();
  const ran = await onMachine(files, [...agentAuth, ...args], { ...options, env: home.env() });
  return { ...ran, isKept: (await home.readAuth()) === before };
};

describe.skipIf(missingNamespace !== undefined)("agent-auth on a managed machine", () => {
  it("names the rule and the file, and sends nothing", { timeout }, async () => {
    await using authority = await startTestAuthority();
    const files = { "requirements.toml": 'allowed_login_methods = ["chatgpt"]\n' };
    const config = `openai_base_url = "${authority.openaiBaseUrl}"\n`;
    for (const args of [
      ["api", "/models"],
      ["login", "status"],
      ["headers"],
      ["exec", "--", "true"],
    ]) {
      const { exitCode, isKept, output } = await run(files, args, { config });
      expect([args, exitCode, isKept]).toEqual([args, 1, true]);
      expect(output).toContain(`allowed_login_methods in ${where} does not allow API keys`);
    }
    expect(authority.requests).toEqual([]);
  });

  it("shows in doctor which file set which key, and the rules", { timeout }, async () => {
    const { output } = await run(
      {
        "config.toml": '# defaults\nforced_login_method = "api"\n',
        "requirements.toml": 'allowed_login_methods = ["api"]\nmodel_provider = "openai"\n',
      },
      ["doctor", "--json"],
      { config: 'model_provider = "a"\n[model_providers.a]\n' },
    );
    const { checks }: { readonly checks: ReadonlyArray<{ name: string; detail: string }> } =
      JSON.parse(output.slice(output.indexOf("{")));
    const detail = (name: string) => checks.find((check) => check.name === name)?.detail;
    expect(detail("keys")).toContain("forced_login_method from /etc/codex/config.toml:2");
    expect(detail("keys")).toContain(`model_provider required by ${where}:2`);
    expect(detail("requirements")).toBe(
      `allowed_login_methods: api (${where}); model_provider (${where})`,
    );
  });

  it("names a file that it cannot use", { timeout }, async () => {
    const { exitCode, output } = await run({ "managed_config.toml": "a = [" }, ["login", "status"]);
    expect(exitCode).toBe(1);
    expect(output).toContain("/etc/codex/managed_config.toml:1");
  });
});

// Both programs, with the same files.

const codex = findCodex();
const codexPath = "path" in codex ? codex.path : undefined;
if ("missing" in codex) console.warn(`skipped: ${codex.missing}`);

/** Codex refuses a CODEX_HOME in the temporary folder. */
const codexHome = (config: string): string => {
  const folder = join(homedir(), ".cache");
  mkdirSync(folder, { recursive: true });
  const path = mkdtempSync(join(folder, "agent-auth-codex-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  writeFileSync(join(path, "config.toml"), config);
  writeFileSync(join(path, "auth.json"), JSON.stringify(key), { mode: 0o600 });
  return path;
};

const runCodex = async (
  files: Readonly<Record<string, string>>,
  args: readonly string[],
  { config = "", stdin }: { readonly config?: string; readonly stdin?: string },
) => {
  const home = codexHome(config);
  const before = readFileSync(join(home, "auth.json"), "utf8");
  const env = { PATH: process.env["PATH"] ?? "", HOME: home, CODEX_HOME: home };
  const command = [codexPath ?? "", ...args];
  const ran = await onMachine(files, command, { env, ...(stdin !== undefined && { stdin }) });
  return { ...ran, isKept: readFileSync(join(home, "auth.json"), "utf8") === before };
};

interface Scenario {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly config?: string;
  readonly stdin?: string;
  readonly args: readonly string[];
  readonly override?: string;
  readonly exitCode: number;
  /** In the output of both. */
  readonly text?: string;
}

const status = ["login", "status"];

const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "an API key where only ChatGPT is allowed is not used, and kept",
    files: { "requirements.toml": 'allowed_login_methods = ["chatgpt"]\n' },
    args: status,
    exitCode: 1,
  },
  {
    name: "an API key passes a rule about workspaces",
    files: { "requirements.toml": 'allowed_chatgpt_workspaces = ["ws-9"]\n' },
    args: status,
    exitCode: 0,
    text: "API key configured - sk-proj-***ABCDE",
  },
  {
    name: "a login with an API key is refused",
    files: { "requirements.toml": 'allowed_login_methods = ["chatgpt"]\n' },
    args: ["login", "--with-api-key"],
    stdin: "sk-other\n",
    exitCode: 1,
    text: "API key login is disabled. Use ChatGPT login instead.",
  },
  {
    name: "no method is allowed",
    files: { "requirements.toml": "allowed_login_methods = []\n" },
    args: status,
    exitCode: 1,
    text: "authentication requirements do not permit any usable login method",
  },
  {
    name: "the user's forced_login_method contradicts the rule",
    files: { "requirements.toml": 'allowed_login_methods = ["chatgpt"]\n' },
    config: 'forced_login_method = "api"\n',
    args: status,
    exitCode: 1,
    text: "authentication requirements do not permit any usable login method",
  },
  {
    name: "a method that is not known",
    files: { "requirements.toml": 'allowed_login_methods = ["oauth"]\n' },
    args: status,
    exitCode: 1,
    text: where,
  },
  {
    name: "requirements.toml is not TOML",
    files: { "requirements.toml": "a = [\n" },
    args: status,
    exitCode: 1,
    text: where,
  },
  {
    name: "managed_config.toml is not TOML",
    files: { "managed_config.toml": "a = [\n" },
    args: status,
    exitCode: 1,
    text: "/etc/codex/managed_config.toml:",
  },
  {
    name: "config.toml of the system is not TOML",
    files: { "config.toml": "a = [\n" },
    args: status,
    exitCode: 1,
    text: "/etc/codex/config.toml:",
  },
  {
    name: "the user's config.toml wins over the system's",
    files: { "config.toml": 'forced_login_method = "chatgpt"\n' },
    config: 'forced_login_method = "api"\n',
    args: status,
    exitCode: 0,
    text: "API key configured",
  },
  {
    name: "the system's config.toml counts if the user's does not have the key",
    files: { "config.toml": 'forced_login_method = "chatgpt"\n' },
    args: status,
    exitCode: 1,
  },
  {
    name: "managed_config.toml wins over -c",
    files: { "managed_config.toml": 'forced_login_method = "api"\n' },
    override: "forced_login_method=chatgpt",
    args: status,
    exitCode: 0,
    text: "API key configured",
  },
  {
    name: "a required provider that does not exist",
    files: { "requirements.toml": 'model_provider = "x"\n' },
    args: status,
    exitCode: 1,
    text: "Model provider `x` not found",
  },
  {
    name: "the store is required to keep nothing",
    files: { "requirements.toml": 'cli_auth_credentials_store = "ephemeral"\n' },
    args: status,
    exitCode: 1,
  },
];

describe.skipIf(missingNamespace !== undefined || codexPath === undefined)(
  "agent-auth and Codex 0.171 agree",
  () => {
    it.each(scenarios)("$name", { timeout }, async (scenario) => {
      const { args, exitCode, files, override, text = "" } = scenario;
      const overrides = override === undefined ? [] : ["-c", override];
      const both = await Promise.all([
        run(files, [...args, ...overrides], scenario),
        runCodex(files, [...overrides, ...args], scenario),
      ]);
      expect(both.map((one) => one.exitCode)).toEqual([exitCode, exitCode]);
      expect(both.map(({ isKept }) => isKept)).toEqual([true, true]);
      for (const { output } of both) expect(output).toContain(text);
    });
  },
);

describe.skipIf(missingNamespace !== undefined || codexPath === undefined)(
  "rules that other users can change",
  () => {
    it.each([
      [
        "a file of root's group",
        "chmod 664 /etc/codex/requirements.toml",
        "its group can change it",
      ],
      ["a file of everyone", "chmod 666 /etc/codex/requirements.toml", "every user can change it"],
      ["a folder of root's group", "chmod 775 /etc/codex", "/etc/codex: its group can change it"],
    ])("stop agent-auth and restrict Codex: %s", { timeout }, async (_, chmod, reason) => {
      const files = { "requirements.toml": 'allowed_login_methods = ["chatgpt"]\n' };
      const home = codexHome("");
      const env = { PATH: process.env["PATH"] ?? "", HOME: home, CODEX_HOME: home };
      const runChanged = (command: readonly string[]) =>
        onMachine(files, ["sh", "-c", `${chmod} && exec "$@"`, "sh", ...command], { env });
      const ours = await runChanged([...agentAuth, ...status]);
      expect(ours.exitCode).toBe(1);
      expect(ours.output).toContain("Error checking login status: cannot use /etc/codex/");
      expect(ours.output).toContain(reason);
      const theirs = await runChanged([codexPath ?? "", ...status]);
      expect([theirs.exitCode, theirs.output]).toEqual([
        1,
        expect.stringContaining("Not logged in"),
      ]);
    });
  },
);
