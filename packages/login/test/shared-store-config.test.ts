import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configForChild, explainConfig, loadConfig } from "../src/config/index.ts";
import { credentialVariables, loadEnvironment, type Variables } from "../src/config/environment.ts";
import { createAuthManager, createKeptAccounts } from "../src/promises/index.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";

const database = "postgres://agents:geheim@db.example/agents";

interface Machine {
  readonly variables?: Variables;
  readonly user?: string;
  readonly requirements?: string;
  readonly managed?: string;
  readonly overrides?: ReadonlyArray<string>;
}

const write = (folder: string, name: string, text = "") => {
  if (text !== "") writeFileSync(join(folder, name), text, { mode: 0o644 });
};

const sourcesOf = ({ managed, overrides = [], requirements, user, variables }: Machine) => {
  const { path } = temporaryHome();
  const systemFolder = join(temporaryFolder(), "codex");
  mkdirSync(systemFolder, { mode: 0o755 });
  write(path, "config.toml", user);
  write(systemFolder, "requirements.toml", requirements);
  write(systemFolder, "managed_config.toml", managed);
  const environment = loadEnvironment({ CODEX_HOME: path, ...variables }, { systemFolder });
  return { ...environment, overrides, path };
};

const shared = (machine: Machine) =>
  Effect.map(loadConfig(sourcesOf(machine)), ({ sharedStore }) =>
    sharedStore === undefined
      ? undefined
      : { url: Redacted.value(sharedStore.url), keys: sharedStore.keys },
  );

const refused = (machine: Machine) => Effect.flip(loadConfig(sourcesOf(machine)));

describe("the settings of a shared store", () => {
  it.effect("are absent by default", () =>
    Effect.map(shared({}), (found) => expect(found).toBeUndefined()),
  );

  it.effect("come from variables, with the keys in a file", () =>
    Effect.gen(function* () {
      const variables = { AGENT_AUTH_STORE: database, AGENT_AUTH_STORE_KEY_FILE: "/run/keys" };
      const keys = { _tag: "File", path: "/run/keys" };
      expect(yield* shared({ variables })).toEqual({ url: database, keys });
    }),
  );

  it.effect("come from variables, with the keys in a variable", () =>
    Effect.gen(function* () {
      const variables = { AGENT_AUTH_STORE: database, AGENT_AUTH_STORE_KEY: "k1:…" };
      const keys = { _tag: "Variable", name: "AGENT_AUTH_STORE_KEY" };
      expect(yield* shared({ variables })).toEqual({ url: database, keys });
    }),
  );

  it.effect("come from config.toml, with a command that prints the keys", () =>
    Effect.gen(function* () {
      const user = `[agent_auth]\nstore = "sqlite:/srv/store.db"\nstore_key_command = ["kms", "decrypt"]`;
      const keys = { _tag: "Command", argv: ["kms", "decrypt"] };
      expect(yield* shared({ user })).toEqual({ url: "sqlite:/srv/store.db", keys });
    }),
  );

  it.effect("of a file start in the folder of that file", () =>
    Effect.gen(function* () {
      const sources = sourcesOf({
        user: `[agent_auth]\nstore = "sqlite:/srv/store.db"\nstore_key_file = "keys"`,
      });
      const { sharedStore } = yield* loadConfig(sources);
      expect(sharedStore?.keys).toEqual({ _tag: "File", path: join(sources.path, "keys") });
      expect(sharedStore?.configFiles).toEqual([join(sources.path, "config.toml")]);
    }),
  );

  it.effect.each([
    ["a variable over config.toml", { AGENT_AUTH_STORE: "sqlite:/variable" }, [], "", "variable"],
    ["-c over a variable", { AGENT_AUTH_STORE: database }, ["sqlite:/line"], "", "line"],
    [
      "managed_config.toml over all",
      { AGENT_AUTH_STORE: database },
      ["sqlite:/line"],
      '[agent_auth]\nstore = "sqlite:/managed"',
      "managed",
    ],
  ] as const)("prefer %s", ([, variables, overrides, managed, expected]) =>
    Effect.gen(function* () {
      const found = yield* shared({
        variables,
        overrides: overrides.map((url) => `agent_auth.store=${url}`),
        managed,
        user: '[agent_auth]\nstore = "sqlite:/user"',
      });
      expect(found?.url).toBe(`sqlite:/${expected}`);
    }),
  );

  it.effect("are switched off by none", () =>
    Effect.gen(function* () {
      const variables = { AGENT_AUTH_STORE: database };
      expect(yield* shared({ variables, overrides: ["agent_auth.store=none"] })).toBeUndefined();
    }),
  );

  it.effect("give way to a store that an administrator requires", () =>
    Effect.gen(function* () {
      const variables = { AGENT_AUTH_STORE: database };
      const requirements = 'cli_auth_credentials_store = "keyring"';
      expect(yield* shared({ variables, requirements })).toBeUndefined();
    }),
  );

  it.effect.each([
    ["another scheme", { AGENT_AUTH_STORE: "mysql://agents:geheim@db/agents" }, []],
    ["a password on the command line", {}, [`agent_auth.store=${database}`]],
    [
      "two sources of keys",
      { AGENT_AUTH_STORE: database, AGENT_AUTH_STORE_KEY: "k", AGENT_AUTH_STORE_KEY_FILE: "/k" },
      [],
    ],
    [
      "a command with a relative path",
      { AGENT_AUTH_STORE: database },
      ['agent_auth.store_key_command=["./print-keys"]'],
    ],
  ] as const)("are refused for %s, without the password", ([, variables, overrides]) =>
    Effect.gen(function* () {
      const error = yield* refused({ variables, overrides });
      expect(error.code).toBe("LOGIN_CONFIG_KEY_INVALID");
      expect(`${error.message} ${error.hint} ${JSON.stringify(error)}`).not.toContain("geheim");
    }),
  );

  it.effect("are not given to a child process, nor shown by explainConfig", () =>
    Effect.gen(function* () {
      const variables = { AGENT_AUTH_STORE: database, AGENT_AUTH_STORE_KEY: "k1:geheim" };
      const sources = sourcesOf({ variables, overrides: ["forced_login_method=api"] });
      expect(yield* configForChild(sources)).toBe('forced_login_method = "api"\n');
      const explained = JSON.stringify(yield* explainConfig(sources));
      expect(explained).toContain("AGENT_AUTH_STORE");
      expect(explained).not.toContain("geheim");
      expect(credentialVariables).toEqual(
        expect.arrayContaining([
          "AGENT_AUTH_STORE",
          "AGENT_AUTH_STORE_KEY",
          "AGENT_AUTH_STORE_KEY_FILE",
        ]),
      );
    }),
  );
});

const variables = () => ({
  CODEX_HOME: temporaryHome().path,
  AGENT_AUTH_STORE: "sqlite:/srv/store.db",
});

describe("a program that does not open the shared store of its configuration", () => {
  it("uses no other store instead", async () => {
    await using manager = createAuthManager({
      environmentCredentials: true,
      variables: variables(),
    });
    const refusal = { code: "LOGIN_SHARED_STORE_NOT_OPENED", remedy: "fixConfig" };
    await expect(manager.current()).rejects.toMatchObject(refusal);
    await expect(manager.loginWithApiKey("sk-1")).rejects.toMatchObject(refusal);
  });

  it("keeps no accounts under names", async () => {
    const accounts = createKeptAccounts({ environmentCredentials: true, variables: variables() });
    const refusal = { code: "LOGIN_ACCOUNTS_NOT_SHARED" };
    await expect(accounts.list()).rejects.toMatchObject(refusal);
    await expect(accounts.addCurrent("work")).rejects.toMatchObject(refusal);
  });
});
