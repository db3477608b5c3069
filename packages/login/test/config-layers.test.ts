import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import { checkModelProvider, configForChild, loadConfig } from "../src/config/index.ts";
import { loadEnvironment } from "../src/config/environment.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import { program, start } from "./support/start-program.ts";

interface Layers {
  readonly file?: string;
  readonly variable?: string;
  readonly overrides?: ReadonlyArray<string>;
}

const sourcesOf = ({ file, variable, overrides = [] }: Layers) => {
  const { path } = temporaryHome();
  if (file !== undefined) writeFileSync(join(path, "config.toml"), file);
  const environment = loadEnvironment({ CODEX_HOME: path, AGENT_AUTH_CONFIG: variable });
  return { path, sources: { ...environment, overrides } };
};

/** The configuration file that a command is remembered to come from, and the one of the home. */
const configFileOf = (layers: Layers) => {
  const { path, sources } = sourcesOf(layers);
  return Effect.map(loadConfig(sources), ({ modelProviders }) => [
    modelProviders.get("a")?.auth?.configFile,
    join(path, "config.toml"),
  ]);
};

const load = (layers: Layers) => loadConfig(sourcesOf(layers).sources);

describe("the layers of a configuration", () => {
  it.effect("win in the order config.toml, AGENT_AUTH_CONFIG, -c", () =>
    Effect.gen(function* () {
      const file = `model_provider = "file"\nopenai_base_url = "https://file.example"\nchatgpt_base_url = "https://file.example"`;
      const variable = `model_provider = "variable"\nopenai_base_url = "https://variable.example"`;
      const overrides = ["model_provider=override"];
      expect(yield* load({ file, variable, overrides })).toMatchObject({
        modelProvider: "override",
        openaiBaseUrl: "https://variable.example",
        chatgptBaseUrl: "https://file.example",
      });
    }),
  );

  it.effect("are merged table by table; other values are replaced", () =>
    Effect.gen(function* () {
      const { modelProviders, forcedWorkspaceIds } = yield* load({
        file: `forced_chatgpt_workspace_id = ["a", "b"]\n[model_providers.acme]\nname = "Acme"\nenv_key = "ACME_KEY"`,
        variable: `model_providers.acme.env_key = "OTHER_KEY"\nmodel_providers.new.name = "New"`,
        overrides: [`forced_chatgpt_workspace_id=["c"]`, `model_providers.acme={ wire_api = "x" }`],
      });
      expect(modelProviders.get("acme")).toMatchObject({
        name: "Acme",
        envKey: "OTHER_KEY",
        wireApi: "x",
      });
      expect(modelProviders.get("new")?.name).toBe("New");
      expect(forcedWorkspaceIds).toEqual(["c"]);
    }),
  );

  it.effect.each([
    ["model_provider = 1", undefined, [], "config.toml:1: model_provider must be a string"],
    [
      "model_provider = 'x'",
      "\nmodel_provider = 1",
      [],
      "AGENT_AUTH_CONFIG:2: model_provider must be a string",
    ],
    ["model_provider = 1", undefined, ["model_provider=2"], "-c: model_provider must be a string"],
    [
      "[model_providers.a]\nname = 'A'",
      "model_providers.a.auth = {}",
      [],
      "AGENT_AUTH_CONFIG:1: model_providers.a.auth.command must be the name of a program",
    ],
    ["a = 1", "= 1", [], "AGENT_AUTH_CONFIG:1:1: "],
  ] satisfies ReadonlyArray<readonly [string, string | undefined, ReadonlyArray<string>, string]>)(
    "are named in errors: %j, %j and %j",
    ([file, variable, overrides, message]) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          load({ file, overrides, ...(variable !== undefined && { variable }) }),
        );
        expect(error.message).toContain(message);
        const isVariable = message.startsWith("AGENT_AUTH_CONFIG");
        expect(error.remedy).toBe(isVariable ? "fixEnvironment" : "fixConfig");
        if (isVariable) expect(error.hint).toBe("Correct or unset AGENT_AUTH_CONFIG.");
      }),
  );

  it.effect("do not hide a mistake in a lower layer that no higher layer corrects", () =>
    Effect.gen(function* () {
      const wrong = { file: `forced_login_method = "oauth"`, overrides: ["model_provider=x"] };
      expect((yield* Effect.flip(load(wrong))).message).toContain("config.toml:1:");
      const corrected = { ...wrong, overrides: ["forced_login_method=api"] };
      expect((yield* load(corrected)).forcedLoginMethod).toBe("api");
    }),
  );

  it("do not include the .codex/config.toml of the working directory or its parents", async () => {
    const checkout = temporaryFolder();
    mkdirSync(join(checkout, ".codex"));
    mkdirSync(join(checkout, "src"));
    writeFileSync(
      join(checkout, ".codex", "config.toml"),
      'cli_auth_credentials_store = "keyring"',
    );
    const home = temporaryHome();
    writeFileSync(
      join(home.path, "config.toml"),
      `[projects.'${checkout}']\ntrust_level = "trusted"\n`,
    );
    for (const cwd of [checkout, join(checkout, "src"), join(checkout, ".codex")]) {
      const { stdout } = await start(program("load-config", home.path), { cwd }).ended;
      expect(stdout).toBe("file\nsmol-toml\n");
    }
  });
});

const auth = (rest = "") => `[model_providers.a.auth]\ncommand = "./bin/get-token"\n${rest}`;

describe("relative paths of a token command", () => {
  const folderOf = (layers: Layers) => {
    const { path, sources } = sourcesOf(layers);
    return Effect.map(loadConfig(sources), ({ modelProviders }) => ({
      path,
      cwd: modelProviders.get("a")?.auth?.cwd,
    }));
  };

  it.effect.each([
    ["no cwd", { file: auth() }, "."],
    ["cwd = '.'", { file: auth('cwd = "."') }, "."],
    ["cwd = 'sub'", { file: auth('cwd = "sub"') }, "sub"],
    ["cwd = '../x'", { file: auth('cwd = "../x"') }, "../x"],
    ["AGENT_AUTH_CONFIG without cwd", { variable: auth() }, "."],
    ["AGENT_AUTH_CONFIG with cwd = 'sub'", { variable: auth('cwd = "sub"') }, "sub"],
    [
      "-c for another key of the same table",
      { file: auth(), overrides: ["model_providers.a.auth.timeout_ms=9"] },
      ".",
    ],
    [
      "-c for the command beside a cwd in the file",
      { file: auth('cwd = "sub"'), overrides: ["model_providers.a.auth.command=./x"] },
      "sub",
    ],
  ] satisfies ReadonlyArray<readonly [string, Layers, string]>)(
    "start in CODEX_HOME: %s",
    ([, layers, expected]) =>
      Effect.gen(function* () {
        const { cwd, path } = yield* folderOf(layers);
        expect(cwd).toBe(join(path, expected));
      }),
  );

  it.effect.each([
    ["the command", ["model_providers.a.auth.command=./bin/get-token"], "."],
    ["the folder", ["model_providers.a.auth.cwd=sub"], "sub"],
    ["a whole table", ['model_providers.a.auth={command="./x",cwd="sub"}'], "sub"],
  ] satisfies ReadonlyArray<readonly [string, ReadonlyArray<string>, string]>)(
    "start in the working directory if -c sets %s",
    ([, overrides, expected]) =>
      Effect.gen(function* () {
        const { cwd } = yield* folderOf({ file: auth(), overrides });
        expect(cwd).toBe(join(process.cwd(), expected));
      }),
  );

  it.effect("remember the file, unless no part of the command comes from one", () =>
    Effect.gen(function* () {
      const command = "model_providers.a.auth.command=x";
      const [whole, wholePath] = yield* configFileOf({ file: auth() });
      expect(whole).toBe(wholePath);
      const [part, partPath] = yield* configFileOf({
        file: auth('cwd = "."'),
        overrides: [command],
      });
      expect(part).toBe(partPath);
      const [none] = yield* configFileOf({ file: auth("timeout_ms = 9"), overrides: [command] });
      expect(none).toBeUndefined();
    }),
  );

  it.effect("leaves an absolute cwd as it is", () =>
    Effect.gen(function* () {
      expect((yield* folderOf({ file: auth('cwd = "/srv"') })).cwd).toBe("/srv");
    }),
  );
});

describe("configForChild", () => {
  it.effect("returns nothing without overrides: the child reads the same layers by itself", () =>
    Effect.gen(function* () {
      const { sources } = sourcesOf({ file: "model_provider = 'x'", variable: "a = 1" });
      expect(yield* configForChild(sources)).toBeUndefined();
    }),
  );

  it.effect("returns TOML that gives a child the same configuration in any working directory", () =>
    Effect.gen(function* () {
      const { path, sources } = sourcesOf({
        file: `[model_providers.a]\nname = "A"\nauth = { command = "./file", cwd = "sub" }\n[model_providers.b.auth]\ncommand = "./b"`,
        variable: `big = 9223372036854775807\n[model_providers."c.d".auth]\ncommand = "./c"`,
        overrides: [
          "chatgpt_base_url=https://self.example",
          "model_providers.a.auth.timeout_ms=9",
          "model_providers.e.auth.command=./e",
          `model_providers."q\\"uote".name=Q`,
        ],
      });
      const here = yield* loadConfig(sources);
      const toml = yield* configForChild(sources);
      const there = yield* loadConfig(
        loadEnvironment({ CODEX_HOME: path, AGENT_AUTH_CONFIG: toml }),
      );
      const known = ({ modelProviders }: typeof here) =>
        [...modelProviders].map(([id, { auth }]) => [id, { ...auth, configFile: "" }]);
      expect({ ...there, modelProviders: known(there) }).toEqual({
        ...here,
        modelProviders: known(here),
      });
      expect(there.modelProviders.get("a")?.auth?.cwd).toBe(join(path, "sub"));
      expect(there.modelProviders.get("e")?.auth?.cwd).toBe(process.cwd());
      // What is in the file stays there, so that a later change of the file reaches the child.
      expect(toml).not.toContain("./file");
    }),
  );

  it.effect("fails as loading does", () =>
    Effect.gen(function* () {
      const { sources } = sourcesOf({ overrides: ["forced_login_method=oauth"] });
      expect((yield* Effect.flip(configForChild(sources))).code).toBe("LOGIN_CONFIG_KEY_INVALID");
    }),
  );
});

describe("keys that are refused", () => {
  it.effect.each([
    [
      `profile = "x"`,
      'legacy `profile = "x"` config is no longer supported; use `--profile x` with `x.config.toml` instead',
    ],
    [`[model_providers.a]\nwire_api = "chat"`, '`wire_api = "chat"` is no longer supported'],
    [
      `[model_providers.a]\nenv_key = "X"\nauth = { command = "x" }`,
      "model_providers.a: provider auth cannot be combined with env_key",
    ],
    [
      `[model_providers.a]\nrequires_openai_auth = true\nexperimental_bearer_token = "canary"\nenv_key = "X"\nauth = { command = "x" }`,
      "model_providers.a: provider auth cannot be combined with env_key, experimental_bearer_token, requires_openai_auth",
    ],
    [
      `[model_providers.a.auth]\ncommand = " "`,
      "model_providers.a.auth.command must be the name of a program",
    ],
  ] satisfies ReadonlyArray<readonly [string, string]>)("refuses %j", ([file, problem]) =>
    Effect.gen(function* () {
      const { path, sources } = sourcesOf({ file });
      const error = yield* Effect.flip(loadConfig(sources));
      expect(error).toMatchObject({ code: "LOGIN_CONFIG_KEY_INVALID", remedy: "fixConfig" });
      const lastLine = file.split("\n").length;
      expect(error.message.startsWith(`${join(path, "config.toml")}:${lastLine}: ${problem}`)).toBe(
        true,
      );
      expect(inspect(error)).not.toContain("canary");
    }),
  );

  it.effect("refuses a profile in any layer", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(load({ overrides: ["profile=x"] }));
      expect(error.message).toMatch(/^-c: legacy `profile = "x"` config is no longer supported/);
    }),
  );

  it.effect.each(["9223372036854775807", "-9223372036854775808", "9007199254740993"])(
    "accepts the integer %s in a key of another program",
    (integer) =>
      Effect.gen(function* () {
        const file = `[tui]\nbig = ${integer}\nlist = [${integer}]`;
        expect((yield* load({ file })).credentialsStore).toBe("file");
      }),
  );

  it.effect("refuses such an integer in a key of this project", () =>
    Effect.gen(function* () {
      const file = `model_providers.a.request_max_retries = 9223372036854775807`;
      expect((yield* Effect.flip(load({ file }))).message).toContain("must be a whole number");
    }),
  );
});

describe("checkModelProvider", () => {
  it.effect.each([
    ["model_provider = ''", undefined],
    ["model_provider = 'openai'", undefined],
    ["model_provider = 'amazon-bedrock'", undefined],
    ["model_provider = 'acme'\n[model_providers.acme]\nname = 'A'", undefined],
    ["model_provider = 'nope'", "Model provider `nope` not found"],
    ["model_provider = 'constructor'", "Model provider `constructor` not found"],
    ["model_provider = 'a'\n[model_providers.b]\nname = 'B'", "Model provider `a` not found"],
  ] satisfies ReadonlyArray<readonly [string, string | undefined]>)(
    "for %j, fails with %j",
    ([file, message]) =>
      Effect.gen(function* () {
        const config = yield* load({ file });
        const error = yield* Effect.flip(
          Effect.andThen(checkModelProvider(config), Effect.fail(undefined)),
        );
        expect(error?.message).toBe(message);
        if (error !== undefined) expect(error.remedy).toBe("fixConfig");
      }),
  );
});

describe("files of CODEX_HOME", () => {
  const isRoot = process.geteuid?.() === 0;
  const linux = process.platform === "linux";

  it.effect("fail to load if .env cannot be read", () =>
    Effect.gen(function* () {
      const { path } = temporaryHome();
      mkdirSync(join(path, ".env"));
      const error = yield* Effect.flip(loadConfig(loadEnvironment({ CODEX_HOME: path })));
      expect(error.message).toBe(`cannot read ${join(path, ".env")}: it is a folder`);
      expect(error).toMatchObject({ code: "LOGIN_CONFIG_UNREADABLE", remedy: "fixConfig" });
    }),
  );

  it.effect("are not needed if there is no home folder", () =>
    Effect.gen(function* () {
      const environment = loadEnvironment({ HOME: "x" });
      const config = yield* loadConfig({ ...environment, overrides: ["model_provider=x"] });
      expect(config.modelProvider).toBe("x");
    }),
  );

  it("that this user may not enter are not used, with a warning", async ({ skip }) => {
    if (!isRoot || !linux) skip("needs root on Linux, to become another user");
    const home = temporaryFolder();
    chmodSync(home, 0o700);
    const { stderr, stdout } = await runAs(12_345, { HOME: home });
    expect(stdout).toBe("file\n");
    expect(stderr).toContain(`${home}/.codex/config.toml is not used: no access to its folder`);
    const explicit = await runAs(12_345, { CODEX_HOME: home });
    expect(explicit.stderr).toBe(`cannot read ${home}/config.toml: permission denied\n`);
  });

  it.for(["config.toml", ".env"])(
    "do not make root read what the owner of the folder may not: %s",
    async (name, { skip }) => {
      if (!isRoot || !linux) skip("needs root on Linux, to own a folder as another user");
      const roots = join(temporaryFolder(), "secret");
      writeFileSync(roots, "chatgpt_base_url = 'https://root.example'\n", { mode: 0o600 });
      const { path } = temporaryHome();
      chownSync(path, 12_345, 12_345);
      symlinkSync(roots, join(path, name));
      const read = () => loadConfig(loadEnvironment({ CODEX_HOME: path }));
      const error = await Effect.runPromise(Effect.flip(read()));
      expect(error.message).toBe(
        `cannot read ${path}/${name}: this process is root, and user 12345, who controls the path, may not read what is there`,
      );
      chmodSync(roots, 0o644);
      chmodSync(dirname(roots), 0o755);
      expect((await Effect.runPromise(read())).credentialsStore).toBe("file");
    },
  );
});

/** Runs the program `load-environment` as another user. */
const runAs = (uid: number, env: Readonly<Record<string, string>>) =>
  start(program("load-environment"), {
    uid,
    gid: 0,
    env: { PATH: process.env["PATH"] ?? "", ...env },
  }).ended;
