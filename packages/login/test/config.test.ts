import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import { loadConfig } from "../src/config/index.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { program, start } from "./support/start-program.ts";

const withFile = (toml: string | Uint8Array, overrides: ReadonlyArray<string> = []) => {
  const codexHome = temporaryHome();
  const path = join(codexHome.path, "config.toml");
  writeFileSync(path, toml);
  return { path, load: loadConfig({ codexHome, overrides }) };
};

const defaults = {
  chatgptBaseUrl: "https://chatgpt.com/backend-api",
  credentialsStore: "file",
  modelProviders: new Map(),
};

const full = `
# ours
chatgpt_base_url = " https://self.example.com/backend-api/ "
openai_base_url = "https://openai.example.com/v1"
forced_login_method = "chatgpt"
forced_chatgpt_workspace_id = ["ws-1", " ", "ws-2"]
cli_auth_credentials_store = "auto"
model_provider = "acme"
model = "unknown to us"

[tui]
theme = 3

[model_providers.acme]
name = "Acme"
base_url = "https://acme.example.com/v1"
env_key = "ACME_KEY"
env_key_instructions = "Ask Ada."
requires_openai_auth = true
wire_api = "responses"
query_params = { api-version = "1" }
http_headers = { X-Team = "canary" }
env_http_headers = { X-User = "ACME_USER" }
request_max_retries = 0

[model_providers.vault.auth]
command = "./token"
args = ["--fresh"]
cwd = "/srv"

[model_providers."with.dots"]
auth = { command = "x", timeout_ms = 1, refresh_interval_ms = 0 }

[model_providers.fixed]
experimental_bearer_token = "canary"
`;

const workspaceIds = (toml: string) =>
  Effect.map(withFile(`forced_chatgpt_workspace_id = ${toml}`).load, (it) => it.forcedWorkspaceIds);

describe("loadConfig", () => {
  it.effect(
    "returns the defaults if there is no file, an empty one, or one without keys of this project",
    () =>
      Effect.gen(function* () {
        expect(yield* loadConfig({ codexHome: temporaryHome() })).toEqual(defaults);
        for (const toml of ["", " \n", "# nothing", "model = 'x'\n[tui]\n"])
          expect(yield* withFile(toml).load).toEqual(defaults);
        const missing = { path: join(temporaryFolder(), ".codex"), explicit: false };
        expect(yield* loadConfig({ codexHome: missing })).toEqual(defaults);
      }),
  );

  it.effect("reads every documented key", () =>
    Effect.gen(function* () {
      const { path, load } = withFile(full);
      const { modelProviders, ...config } = yield* load;
      expect(config).toEqual({
        chatgptBaseUrl: "https://self.example.com/backend-api",
        openaiBaseUrl: "https://openai.example.com/v1",
        forcedLoginMethod: "chatgpt",
        forcedWorkspaceIds: ["ws-1", "ws-2"],
        credentialsStore: "auto",
        modelProvider: "acme",
      });
      const acme = modelProviders.get("acme");
      expect(acme).toEqual({
        name: "Acme",
        baseUrl: "https://acme.example.com/v1",
        envKey: "ACME_KEY",
        envKeyInstructions: "Ask Ada.",
        requiresOpenaiAuth: true,
        wireApi: "responses",
        queryParams: { "api-version": Redacted.make("1", { label: "api-version" }) },
        httpHeaders: { "X-Team": Redacted.make("canary", { label: "X-Team" }) },
        envHttpHeaders: { "X-User": "ACME_USER" },
        requestMaxRetries: 0,
      });
      expect(modelProviders.get("vault")?.auth).toEqual({
        command: "./token",
        args: [Redacted.make("--fresh", { label: "args" })],
        timeoutMs: 5000,
        refreshIntervalMs: 300_000,
        cwd: "/srv",
        configFile: path,
      });
      const fixed = modelProviders.get("fixed")?.experimentalBearerToken;
      expect(fixed && Redacted.value(fixed)).toBe("canary");
      const team = acme?.httpHeaders["X-Team"];
      expect(team && Redacted.value(team)).toBe("canary");
      const dotted = modelProviders.get("with.dots");
      expect(dotted?.auth).toEqual({
        command: "x",
        args: [],
        timeoutMs: 1,
        refreshIntervalMs: 0,
        cwd: dirname(path),
        configFile: path,
      });
      expect(dotted?.requiresOpenaiAuth).toBe(false);
      expect(inspect([config, modelProviders], { depth: 9 })).not.toContain("canary");
    }),
  );

  it.effect("shows no query parameter and no argument of a token command when it is printed", () =>
    Effect.gen(function* () {
      const config = yield* withFile(
        `model_providers.a = { query_params = { key = "canary" }, auth = { command = "x", args = ["canary"] } }`,
      ).load;
      const provider = config.modelProviders.get("a");
      expect(Object.values(provider?.queryParams ?? {}).map(Redacted.value)).toEqual(["canary"]);
      expect(provider?.auth?.args.map(Redacted.value)).toEqual(["canary"]);
      const shown = [inspect(config, { depth: 9, showHidden: true }), JSON.stringify(provider)];
      expect(shown.join("\n")).not.toContain("canary");
    }),
  );

  it.effect("reads one workspace as a list of one, and blank ids as no restriction", () =>
    Effect.gen(function* () {
      expect(yield* workspaceIds(`" ws-1 "`)).toEqual(["ws-1"]);
      for (const blank of [`""`, `"  "`, "[]", `["", " "]`])
        expect(yield* workspaceIds(blank)).toBeUndefined();
    }),
  );

  it.effect.each([
    [`forced_chatgpt_workspace_id = "a,b"`, "forced_chatgpt_workspace_id", '["ws-1", "ws-2"]'],
    [`forced_chatgpt_workspace_id = 4`, "forced_chatgpt_workspace_id", "a string or a list"],
    [`forced_login_method = "oauth"`, "forced_login_method", '"chatgpt", "api"'],
    [`cli_auth_credentials_store = "cloud"`, "cli_auth_credentials_store", '"file", "keyring"'],
    [`cli_auth_credentials_store = true`, "cli_auth_credentials_store", "a string"],
    [`chatgpt_base_url = "ftp://x"`, "chatgpt_base_url", "an http or https URL"],
    [`chatgpt_base_url = "chatgpt.com"`, "chatgpt_base_url", "an http or https URL"],
    [`chatgpt_base_url = "https://ada:pw@x"`, "chatgpt_base_url", "without user name"],
    [`openai_base_url = "https://ada@x"`, "openai_base_url", "without user name"],
    [
      `model_providers.a.base_url = "https://:pw@x"`,
      "model_providers.a.base_url",
      "without user name",
    ],
    [`model_provider = []`, "model_provider", "a string"],
    [`model_providers = 1`, "model_providers", "a table"],
    [`model_providers.acme = 1`, "model_providers.acme", "a table"],
    [
      `model_providers.a.requires_openai_auth = "yes"`,
      "model_providers.a.requires_openai_auth",
      "true or false",
    ],
    [`model_providers.a.http_headers.X = 1`, "model_providers.a.http_headers.X", "a string"],
    [`model_providers.a.query_params = "x"`, "model_providers.a.query_params", "a table"],
    [
      `model_providers.a.request_max_retries = -1`,
      "model_providers.a.request_max_retries",
      "zero or more",
    ],
    [
      `model_providers.a.request_max_retries = 1.5`,
      "model_providers.a.request_max_retries",
      "zero or more",
    ],
    [`model_providers.a.auth = {}`, "model_providers.a.auth.command", "a program"],
    [
      `model_providers.a.auth = { command = "x", args = "y" }`,
      "model_providers.a.auth.args",
      "a list of strings",
    ],
    [
      `model_providers.a.auth = { command = "x", timeout_ms = 0 }`,
      "model_providers.a.auth.timeout_ms",
      "1 to 2147483647",
    ],
    [
      `model_providers.a.auth = { command = "x", timeout_ms = 3_000_000_000 }`,
      "model_providers.a.auth.timeout_ms",
      "1 to 2147483647",
    ],
  ])("refuses %s with file, line and key", ([wrong, key, expected]) =>
    Effect.gen(function* () {
      const { path, load } = withFile(`# first\nmodel = """\nx\n"""\n\n${wrong}\nlast = 1\n`);
      const error = yield* Effect.flip(load);
      expect(error).toMatchObject({ code: "LOGIN_CONFIG_KEY_INVALID", where: path, key, line: 6 });
      expect(error.message).toContain(`${path}:6: ${key} must be `);
      expect(error.message).toContain(expected);
      expect(error.hint).toBe("Correct that line, or remove it.");
    }),
  );

  it.effect("names the line of a key in a table, and of a value that spans lines", () =>
    Effect.gen(function* () {
      const nested = withFile(`\n[model_providers.a]\nname = "A"\n\nenv_key = 3\n`);
      expect(yield* Effect.flip(nested.load)).toMatchObject({
        line: 5,
        key: "model_providers.a.env_key",
      });
      const list = withFile(`a = 1\nforced_chatgpt_workspace_id = [\n  "x",\n  3,\n]\n`);
      expect(yield* Effect.flip(list.load)).toMatchObject({ line: 2 });
      const first = withFile(`model_provider = [\n  1,\n]\n\n\n# the end`);
      expect(yield* Effect.flip(first.load)).toMatchObject({ line: 1 });
      const projects = Array.from({ length: 4_000 }, (_, n) => `[projects."/${n}"]\nn = ${n}\n`);
      const long = withFile(`${projects.join("")}[model_providers.a]\nname = 3\nenv_key = ""\n`);
      expect(yield* Effect.flip(long.load)).toMatchObject({ line: 8_002 });
    }),
  );

  it.effect(
    "refuses a file that is not TOML, naming file, line and column without quoting it",
    () =>
      Effect.gen(function* () {
        const { path, load } = withFile(`a = 1\nb = "canary\n`);
        const error = yield* Effect.flip(load);
        expect(error).toMatchObject({ code: "LOGIN_CONFIG_SYNTAX", where: path, line: 2 });
        expect(error.message.startsWith(`${path}:2:`)).toBe(true);
        expect(error.hint).toBe("Correct that line.");
        expect(inspect(error)).not.toContain("canary");
      }),
  );

  it.effect("refuses a key given twice, and text that is not UTF-8", () =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(withFile("a = 1\na = 2").load)).code).toBe("LOGIN_CONFIG_SYNTAX");
      const bytes = withFile(Buffer.from([0x61, 0x3d, 0x22, 0xff, 0x22]));
      const error = yield* Effect.flip(bytes.load);
      expect(error.message).toContain("not UTF-8");
      expect(error.hint).toBe("Correct the file.");
    }),
  );

  it.effect("reads a file that starts with a byte order mark, as some editors write it", () =>
    Effect.gen(function* () {
      const { load } = withFile(`\uFEFFmodel_provider = "acme"`);
      expect((yield* load).modelProvider).toBe("acme");
    }),
  );

  it.effect("refuses a config.toml that is a folder or a FIFO, without waiting", () =>
    Effect.gen(function* () {
      for (const make of [
        (path: string) => mkdirSync(path),
        (path: string) => spawnSync("mkfifo", [path]),
      ]) {
        const codexHome = temporaryHome();
        make(join(codexHome.path, "config.toml"));
        expect((yield* Effect.flip(loadConfig({ codexHome }))).code).toBe(
          "LOGIN_CONFIG_UNREADABLE",
        );
      }
    }),
  );

  it.effect("refuses a CODEX_HOME that is set and does not exist", () =>
    Effect.gen(function* () {
      const path = join(temporaryFolder(), "missing");
      const error = yield* Effect.flip(loadConfig({ codexHome: { path, explicit: true } }));
      expect(error.code).toBe("LOGIN_CODEX_HOME_UNUSABLE");
      expect(error.message).toBe(`CODEX_HOME ${path}: that folder does not exist`);
    }),
  );

  it.effect("treats __proto__ as a key like any other", () =>
    Effect.gen(function* () {
      const toml = `[__proto__]\nforced_login_method = "api"\n[model_providers.__proto__]\nname = "P"\n`;
      const config = yield* withFile(toml, ["__proto__.model_provider=x"]).load;
      expect(config.forcedLoginMethod).toBeUndefined();
      expect(config.modelProvider).toBeUndefined();
      expect([...config.modelProviders.keys()]).toEqual(["__proto__"]);
      expect(Object.hasOwn(Object.prototype, "forced_login_method")).toBe(false);
    }),
  );
});

describe("loadConfig, overrides", () => {
  it.effect(
    "applies TOML values, or plain strings if they are not TOML, over the file; the last one wins",
    () =>
      Effect.gen(function* () {
        const { load } = withFile(full, [
          "chatgpt_base_url=https://other.example.com/api",
          `forced_chatgpt_workspace_id=["ws-9"]`,
          "model_provider=first",
          'model_provider = "second"',
          "model_providers.acme.request_max_retries=7",
          "model_providers.new.name=New One",
          `model_providers."with.dots".name='D'`,
          "model_providers.eq.env_key=A=B",
        ]);
        const config = yield* load;
        expect(config.chatgptBaseUrl).toBe("https://other.example.com/api");
        expect(config.forcedWorkspaceIds).toEqual(["ws-9"]);
        expect(config.modelProvider).toBe("second");
        expect(config.modelProviders.get("acme")?.requestMaxRetries).toBe(7);
        expect(config.modelProviders.get("acme")?.name).toBe("Acme");
        expect(config.modelProviders.get("new")?.name).toBe("New One");
        expect(config.modelProviders.get("with.dots")?.name).toBe("D");
        expect(config.modelProviders.get("eq")?.envKey).toBe("A=B");
      }),
  );

  it.effect("accepts no second key inside a value", () =>
    Effect.gen(function* () {
      const { load } = withFile("", [`model_provider="x"\nforced_login_method="api"`]);
      const config = yield* load;
      expect(config.forcedLoginMethod).toBeUndefined();
    }),
  );

  it.effect.each([
    ["no-equals", "LOGIN_CONFIG_SYNTAX", "key=value"],
    ["=x", "LOGIN_CONFIG_SYNTAX", "key=value"],
    ["a..b=1", "LOGIN_CONFIG_SYNTAX", "part of the key is empty"],
    [
      "forced_login_method=oauth",
      "LOGIN_CONFIG_KEY_INVALID",
      "-c: forced_login_method must be one of",
    ],
    [
      "model_providers.a.name=1",
      "LOGIN_CONFIG_KEY_INVALID",
      "-c: model_providers.a.name must be a string",
    ],
    ["model_providers=1", "LOGIN_CONFIG_KEY_INVALID", "-c: model_providers must be a table"],
    ["model_provider.x=1", "LOGIN_CONFIG_KEY_INVALID", "-c: model_provider must be a string"],
  ])("refuses %s", ([override, code, text]) =>
    Effect.gen(function* () {
      const { load } = withFile(`model_provider = "x"`, [override ?? ""]);
      const error = yield* Effect.flip(load);
      expect(error.code).toBe(code);
      expect(error.message).toContain(text);
      expect(error.hint).toBe("Correct that override, or leave it out.");
    }),
  );
});

const loads = async (...overrides: ReadonlyArray<string>): Promise<string> =>
  (await start(program("load-config", temporaryHome().path, ...overrides)).ended).stdout;

describe("loadConfig, at start-up", () => {
  it("loads no TOML parser if there is nothing to parse", async () => {
    expect(await loads()).toBe("file\n");
    expect(await loads("cli_auth_credentials_store=auto")).toBe("auto\nsmol-toml\n");
  });
});
