import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Logger from "effect/Logger";
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configForChild, explainConfig, loadConfig } from "../src/config/index.ts";
import { loadEnvironment } from "../src/config/environment.ts";
import { defaultSystemFolder } from "../src/config/system-files.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";

interface Machine {
  /** `/etc/codex/config.toml` */
  readonly system?: string;
  readonly managed?: string;
  readonly requirements?: string;
  readonly user?: string;
  readonly variable?: string;
  readonly overrides?: ReadonlyArray<string>;
}

const machine = (files: Machine) => {
  const { path } = temporaryHome();
  const folder = join(temporaryFolder(), "codex");
  mkdirSync(folder, { mode: 0o755 });
  const write = (name: string, text: string | undefined) => {
    if (text !== undefined) writeFileSync(join(folder, name), text, { mode: 0o644 });
  };
  write("config.toml", files.system);
  write("managed_config.toml", files.managed);
  write("requirements.toml", files.requirements);
  if (files.user !== undefined) writeFileSync(join(path, "config.toml"), files.user);
  const environment = loadEnvironment(
    { CODEX_HOME: path, AGENT_AUTH_CONFIG: files.variable },
    { systemFolder: folder },
  );
  return { path, folder, sources: { ...environment, overrides: files.overrides ?? [] } };
};

const load = (files: Machine) => loadConfig(machine(files).sources);

const refused = (files: Machine) => {
  const { folder, sources } = machine(files);
  return Effect.map(Effect.flip(loadConfig(sources)), (error) => ({
    code: error.code,
    where: "where" in error ? error.where.replaceAll(folder, "/etc/codex") : undefined,
    message: error.message.replaceAll(folder, "/etc/codex"),
    remedy: error.remedy,
    hint: error.hint.replaceAll(folder, "/etc/codex"),
  }));
};

/** Runs an effect and returns its warnings as well. */
const withWarnings = <A, E>(effect: Effect.Effect<A, E>) => {
  const warnings: Array<string> = [];
  const logger = Logger.make(({ message }) => void warnings.push([message].flat().join(" ")));
  return Effect.map(
    Effect.provideService(effect, Logger.CurrentLoggers, new Set([logger])),
    (value) => ({ value, warnings }),
  );
};

const key = (value: string) => `openai_base_url = "https://${value}.example"\n`;

describe("the layers of a managed machine", () => {
  it.effect.each([
    ["system", { system: key("system") }],
    ["user", { system: key("system"), user: key("user") }],
    ["variable", { system: key("system"), user: key("user"), variable: key("variable") }],
    [
      "command",
      {
        system: key("system"),
        variable: key("variable"),
        overrides: ["openai_base_url='https://command.example'"],
      },
    ],
    [
      "managed",
      {
        managed: key("managed"),
        system: key("system"),
        overrides: ["openai_base_url='https://command.example'"],
      },
    ],
  ] satisfies ReadonlyArray<readonly [string, Machine]>)(
    "the highest one that has a key decides it: %s",
    ([winner, files]) =>
      Effect.gen(function* () {
        expect((yield* load(files)).openaiBaseUrl).toBe(`https://${winner}.example`);
      }),
  );

  it.effect("merge tables key by key", () =>
    Effect.gen(function* () {
      const config = yield* load({
        system: `[model_providers.a]\nname = "System"\nbase_url = "https://a.example"\n`,
        user: `[model_providers.a]\nname = "User"\n`,
        managed: `[model_providers.a]\nrequires_openai_auth = true\n`,
      });
      expect(config.modelProviders.get("a")).toMatchObject({
        name: "User",
        baseUrl: "https://a.example",
        requiresOpenaiAuth: true,
      });
    }),
  );

  it.effect("relative paths of a system file start in its folder", () =>
    Effect.gen(function* () {
      const { folder, sources } = machine({
        system: `[model_providers.a.auth]\ncommand = "./bin/token"\n`,
      });
      const auth = (yield* loadConfig(sources)).modelProviders.get("a")?.auth;
      expect(auth).toMatchObject({ cwd: folder, configFile: join(folder, "config.toml") });
    }),
  );

  it.effect("a child process reads the system files itself", () =>
    Effect.gen(function* () {
      const { sources } = machine({
        managed: key("managed"),
        overrides: ["model_provider=openai", "openai_base_url='https://x.example'"],
      });
      const toml = yield* configForChild(sources);
      expect(toml).toContain("https://x.example");
      expect(toml).not.toContain("managed.example");
    }),
  );

  it("no variable moves the system folder", () => {
    const moved = loadEnvironment({
      HOME: "/nonexistent",
      AGENT_AUTH_SYSTEM_FOLDER: "/x",
      CODEX_SYSTEM_FOLDER: "/x",
      ProgramData: "/x",
    });
    expect(moved.systemFolder).toBeUndefined();
    const expected =
      process.platform === "win32" ? String.raw`C:\ProgramData\OpenAI\Codex` : "/etc/codex";
    expect(defaultSystemFolder).toBe(expected);
  });
});

describe("a system file that cannot be used", () => {
  it.effect.each([
    ["config.toml", { system: "a = [" }, /^\/etc\/codex\/config\.toml:1:\d+: /],
    ["managed_config.toml", { managed: "\na = [" }, /^\/etc\/codex\/managed_config\.toml:2:\d+: /],
    ["requirements.toml", { requirements: "a = [" }, /^\/etc\/codex\/requirements\.toml:1:\d+: /],
  ] satisfies ReadonlyArray<readonly [string, Machine, RegExp]>)(
    "stops everything if it is not TOML: %s",
    ([, files, start]) =>
      Effect.gen(function* () {
        const error = yield* refused(files);
        expect(error).toMatchObject({ code: "LOGIN_CONFIG_SYNTAX", remedy: "contactAdmin" });
        expect(error.message).toMatch(start);
      }),
  );

  it.effect("stops everything if a key has the wrong type", () =>
    Effect.gen(function* () {
      expect(yield* refused({ managed: "\nforced_login_method = 3" })).toMatchObject({
        code: "LOGIN_CONFIG_KEY_INVALID",
        message: "/etc/codex/managed_config.toml:2: forced_login_method must be a string",
        remedy: "contactAdmin",
      });
    }),
  );

  it.effect.each(["config.toml", "managed_config.toml", "requirements.toml"])(
    "stops everything if it is a folder: %s",
    (name) =>
      Effect.gen(function* () {
        const { folder, sources } = machine({});
        mkdirSync(join(folder, name));
        const error = yield* Effect.flip(loadConfig(sources));
        expect(error).toMatchObject({
          message: `cannot use ${join(folder, name)}: it is a folder`,
          remedy: "contactAdmin",
        });
      }),
  );

  it.effect("stops everything if the folder itself is a file", () =>
    Effect.gen(function* () {
      const folder = join(temporaryFolder(), "codex");
      writeFileSync(folder, "");
      const { sources } = machine({});
      const error = yield* Effect.flip(loadConfig({ ...sources, systemFolder: folder }));
      expect(error.message).toBe(
        `cannot use ${join(folder, "config.toml")}: part of the path is not a folder`,
      );
    }),
  );

  it.effect.each([
    ["config.toml", 0o666],
    ["managed_config.toml", 0o646],
    ["requirements.toml", 0o622],
  ] as const)("is not believed if every user can change it: %s, mode %o", ([name, mode]) =>
    Effect.gen(function* () {
      const { folder, sources } = machine({});
      writeFileSync(join(folder, name), "");
      chmodSync(join(folder, name), mode);
      const error = yield* Effect.flip(loadConfig(sources));
      expect(error.message).toBe(`cannot use ${join(folder, name)}: every user can change it`);
      expect(error.remedy).toBe("contactAdmin");
    }),
  );

  const isRoot = process.geteuid?.() === 0;
  if (!isRoot) console.warn("skipped: only root can make files of other users");

  it.effect.skipIf(!isRoot)("is not believed if another user or group owns it", () =>
    Effect.gen(function* () {
      const { folder, sources } = machine({ managed: "", system: "" });
      chownSync(join(folder, "config.toml"), 1234, 0);
      const owned = yield* Effect.flip(loadConfig(sources));
      expect(owned.message).toContain("it belongs to user 1234, not to root");
      chownSync(join(folder, "config.toml"), 0, 1234);
      chmodSync(join(folder, "config.toml"), 0o664);
      const shared = yield* Effect.flip(loadConfig(sources));
      expect(shared.message).toContain("its group can change it");
    }),
  );

  it.effect.skipIf(!isRoot)("is not believed if a link leads to another user's file", () =>
    Effect.gen(function* () {
      const { folder, sources } = machine({});
      const target = join(temporaryFolder(), "rules.toml");
      writeFileSync(target, "");
      chownSync(target, 1234, 1234);
      symlinkSync(target, join(folder, "requirements.toml"));
      const error = yield* Effect.flip(loadConfig(sources));
      expect(error.message).toContain("it belongs to user 1234, not to root");
    }),
  );

  it.effect.skipIf(!isRoot)("is not believed if another user can replace a link's target", () =>
    Effect.gen(function* () {
      const { folder, sources } = machine({});
      const other = temporaryFolder();
      writeFileSync(join(other, "rules.toml"), "");
      chownSync(other, 1234, 1234);
      symlinkSync(join(other, "rules.toml"), join(folder, "requirements.toml"));
      const error = yield* Effect.flip(loadConfig(sources));
      expect(error.message).toContain(`${other}: it belongs to user 1234, not to root`);
    }),
  );

  it.effect.each(["config.toml", "managed_config.toml", "requirements.toml"])(
    "stops everything if it is a link to a file that does not exist: %s",
    (name) =>
      Effect.gen(function* () {
        const { folder, sources } = machine({});
        symlinkSync("/nonexistent/rules.toml", join(folder, name));
        const error = yield* Effect.flip(loadConfig(sources));
        expect(error).toMatchObject({
          message: `cannot use ${join(folder, name)}: it is a link to a file that does not exist`,
          remedy: "contactAdmin",
        });
      }),
  );

  it.effect("stops everything if the folder is a link to a folder that does not exist", () =>
    Effect.gen(function* () {
      const systemFolder = join(temporaryFolder(), "codex");
      symlinkSync("/nonexistent", systemFolder);
      const { sources } = machine({});
      const error = yield* Effect.flip(loadConfig({ ...sources, systemFolder }));
      expect(error.message).toBe(
        `cannot use ${join(systemFolder, "config.toml")}: there is no such file or folder`,
      );
    }),
  );

  it.effect.each([
    ["with", { requirements: "" }],
    ["without", {}],
  ] satisfies ReadonlyArray<readonly [string, Machine]>)(
    "stops everything if every user can change the folder, %s a file in it",
    ([, files]) =>
      Effect.gen(function* () {
        const { folder, sources } = machine(files);
        chmodSync(folder, 0o777);
        const error = yield* Effect.flip(loadConfig(sources));
        expect(error.message).toBe(
          `cannot use ${join(folder, "config.toml")}: ${folder}: every user can change it`,
        );
      }),
  );

  it.effect("is not believed if its group can change it, also if that is root's", () =>
    Effect.gen(function* () {
      const { folder, sources } = machine({ requirements: "" });
      chmodSync(join(folder, "requirements.toml"), 0o664);
      const error = yield* Effect.flip(loadConfig(sources));
      expect(error.message).toContain("its group can change it");
    }),
  );

  it.effect.each<[string, (path: string) => void, string]>([
    ["a pipe", (path) => void execFileSync("mkfifo", [path]), "it is not a regular file"],
    ["a device", (path) => symlinkSync("/dev/zero", path), "it is not a regular file"],
    ["a loop of links", (path) => symlinkSync(path, path), "it is a loop of symbolic links"],
    [
      "a file of 100 MB",
      (path) => {
        writeFileSync(path, "");
        truncateSync(path, 100_000_000);
      },
      "it is larger than 1 MiB",
    ],
  ])("stops everything if it is %s", ([, make, reason]) =>
    Effect.gen(function* () {
      const { folder, sources } = machine({});
      const path = join(folder, "requirements.toml");
      make(path);
      const error = yield* Effect.flip(loadConfig(sources));
      expect(error.message).toBe(`cannot use ${path}: ${reason}`);
    }),
  );

  it.effect.each([
    ["arrays", `allowed_login_methods = ${"[".repeat(100_000)}`],
    ["tables", `allowed_login_methods = ${"{ a = ".repeat(100_000)}`],
  ] as const)("stops everything if its values are nested too deep: %s", ([, requirements]) =>
    Effect.gen(function* () {
      expect(yield* refused({ requirements })).toMatchObject({ code: "LOGIN_CONFIG_SYNTAX" });
    }),
  );

  it.effect("keeps a rule that follows a __proto__", () =>
    Effect.gen(function* () {
      const requirements = `__proto__.allowed_login_methods = ["api"]\nallowed_chatgpt_workspaces = ["ws-1"]\n[model_providers.__proto__]\nbase_url = "https://x.example"\n`;
      const { administratorRules, modelProviders } = yield* load({ requirements });
      expect(administratorRules).toMatchObject([{ _tag: "Workspaces", allowed: ["ws-1"] }]);
      expect(modelProviders.get("__proto__")?.baseUrl).toBe("https://x.example");
    }),
  );
});

describe("requirements.toml", () => {
  it.effect("states the login methods and workspaces that are allowed", () =>
    Effect.gen(function* () {
      const { folder, sources } = machine({
        requirements: `allowed_login_methods = ["chatgpt"]\nallowed_chatgpt_workspaces = [" ws-1 ", ""]\nenforce_residency = "us"\n`,
      });
      const where = join(folder, "requirements.toml");
      expect(yield* loadConfig(sources)).toMatchObject({
        residency: "us",
        administratorRules: [
          { _tag: "LoginMethods", key: "allowed_login_methods", where, allowed: ["chatgpt"] },
          { _tag: "Workspaces", key: "allowed_chatgpt_workspaces", where, allowed: ["ws-1"] },
        ],
      });
    }),
  );

  it.effect.each([
    ['cli_auth_credentials_store = "ephemeral"', { credentialsStore: "ephemeral" }],
    ['chatgpt_base_url = "https://own.example/"', { chatgptBaseUrl: "https://own.example" }],
    ['model_provider = "openai"', { modelProvider: "openai" }],
  ] as const)("replaces the configured value, with Codex's warning: %s", ([required, expected]) =>
    Effect.gen(function* () {
      const { folder, sources } = machine({
        requirements: required,
        user: `model_provider = "a"\ncli_auth_credentials_store = "file"\nchatgpt_base_url = "https://user.example"\n[model_providers.a]\n`,
      });
      const { value, warnings } = yield* withWarnings(loadConfig(sources));
      expect(value).toMatchObject(expected);
      const [name = "", shown = ""] = required.split(" = ");
      expect(warnings).toEqual([
        `Configured value for \`${name}\` is overridden by the required value ${shown} from ${join(folder, "requirements.toml")}.`,
      ]);
    }),
  );

  it.effect("does not warn about values that are not configured or agree", () =>
    Effect.gen(function* () {
      const requirements = `model_provider = "openai"\n`;
      expect((yield* withWarnings(load({ requirements }))).warnings).toEqual([]);
      const agreed = yield* withWarnings(load({ requirements, user: requirements }));
      expect(agreed.warnings).toEqual([]);
    }),
  );

  it.effect("replaces a provider's whole table, so that no header of the user remains", () =>
    Effect.gen(function* () {
      const { folder, sources } = machine({
        requirements: `[model_providers.a]\nbase_url = "https://required.example"\n`,
        user: `[model_providers.a]\nbase_url = "https://user.example"\nhttp_headers = { x = "y" }\n[model_providers.b]\n`,
      });
      const { value, warnings } = yield* withWarnings(loadConfig(sources));
      expect(value.modelProviders.get("a")).toMatchObject({
        baseUrl: "https://required.example",
        httpHeaders: {},
      });
      expect([...value.modelProviders.keys()].toSorted()).toEqual(["a", "b"]);
      expect(warnings).toEqual([
        `The configured \`model_providers.a\` is overridden by the one in ${join(folder, "requirements.toml")}.`,
      ]);
    }),
  );

  it.effect.each([
    [
      'allowed_login_methods = ["oauth"]',
      'allowed_login_methods must be a list of "chatgpt" and "api"',
    ],
    ['allowed_login_methods = "chatgpt"', "allowed_login_methods must be a list of strings"],
    ["allowed_chatgpt_workspaces = 3", "allowed_chatgpt_workspaces must be a list of strings"],
    ['enforce_residency = "mars"', 'enforce_residency must be one of "us"'],
    ['model_providers = ["openai"]', "model_providers must be a table"],
    ['chatgpt_base_url = "nope"', "chatgpt_base_url must be an http or https URL"],
    [
      'allowed_auth_modes = ["x"]',
      "allowed_auth_modes is a rule that this version of agent-auth does not know",
    ],
    [
      'Allowed_Login_Methods = ["chatgpt"]',
      "Allowed_Login_Methods is a rule that this version of agent-auth does not know",
    ],
    [
      'ENFORCE_RESIDENCY = "us"',
      "ENFORCE_RESIDENCY is a rule that this version of agent-auth does not know",
    ],
    [
      "required_account_type = 1",
      "required_account_type is a rule that this version of agent-auth does not know",
    ],
    [
      'config_server = { base_url = "https://x.example" }',
      "config_server is a rule that this version of agent-auth does not know",
    ],
  ])("stops everything if a rule cannot be understood: %s", ([rule, problem]) =>
    Effect.gen(function* () {
      expect(yield* refused({ requirements: `\n${rule}\n` })).toMatchObject({
        code: "LOGIN_CONFIG_KEY_INVALID",
        message: `/etc/codex/requirements.toml:2: ${problem}`,
        remedy: "contactAdmin",
      });
    }),
  );

  it.effect("ignores Codex's rules about other things", () =>
    Effect.gen(function* () {
      const config = yield* load({
        requirements: `allowed_sandbox_modes = ["read-only"]\nallow_login_shell = false\n[network]\nenabled = true\n`,
      });
      expect(config.administratorRules).toBeUndefined();
    }),
  );

  it.effect.each([
    [{ requirements: "allowed_login_methods = []" }, "requirements.toml"],
    [
      {
        requirements: 'allowed_login_methods = ["chatgpt"]',
        user: 'forced_login_method = "api"',
      },
      "requirements.toml",
    ],
    [
      {
        managed: 'forced_login_method = "chatgpt"',
        requirements: 'allowed_login_methods = ["api"]',
      },
      "requirements.toml",
    ],
  ] satisfies ReadonlyArray<readonly [Machine, string]>)(
    "stops everything if no login method is left: %j",
    ([files, file]) =>
      Effect.gen(function* () {
        expect(yield* refused(files)).toMatchObject({
          code: "LOGIN_NO_LOGIN_METHOD_ALLOWED",
          message: "authentication requirements do not permit any usable login method",
          remedy: "contactAdmin",
          where: expect.stringContaining(file),
        });
      }),
  );
});

describe("explainConfig", () => {
  it.effect("says which layer decides which key, and what is required", () =>
    Effect.gen(function* () {
      const { folder, path, sources } = machine({
        system: `# defaults\nforced_login_method = "chatgpt"\n`,
        user: `model_provider = "a"\n[model_providers.a]\n`,
        variable: `[features]\nsecret_auth_storage = false`,
        overrides: ["openai_base_url='https://x.example'"],
        managed: `cli_auth_credentials_store = "file"\n`,
        requirements: `chatgpt_base_url = "https://own.example"\nallowed_login_methods = ["chatgpt"]\nenforce_residency = "us"\n`,
      });
      const where = join(folder, "requirements.toml");
      const isRequired = false;
      expect(yield* explainConfig(sources)).toEqual({
        keys: [
          { key: "chatgpt_base_url", where, line: 1, isRequired: true },
          {
            key: "cli_auth_credentials_store",
            where: join(folder, "managed_config.toml"),
            line: 1,
            isRequired,
          },
          { key: "features.secret_auth_storage", where: "AGENT_AUTH_CONFIG", line: 2, isRequired },
          { key: "forced_login_method", where: join(folder, "config.toml"), line: 2, isRequired },
          { key: "model_provider", where: join(path, "config.toml"), line: 1, isRequired },
          { key: "model_providers.a", where: join(path, "config.toml"), line: 2, isRequired },
          { key: "openai_base_url", where: "-c", isRequired },
        ],
        rules: [
          { _tag: "LoginMethods", key: "allowed_login_methods", where, allowed: ["chatgpt"] },
        ],
        residency: { value: "us", where },
      });
    }),
  );
});
