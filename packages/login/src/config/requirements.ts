import { isUtf8 } from "node:buffer";
import * as Effect from "effect/Effect";
import { lineOfKey } from "./key-line.ts";
import { type ConfigLayer, type ConfigSources, layerOf } from "./layers.ts";
import { readPreference } from "./managed-preferences.ts";
import { defaultSystemFolder, hasSystemFolder, readSystemFile } from "./system-files.ts";
import { InvalidKey, TableReader } from "./table-reader.ts";
import { isTable, parseToml, type TomlTable, valueAt, valueOf, withValue } from "./toml.ts";
import type { AdministratorRule, Config } from "./types.ts";
import {
  type ConfigError,
  ConfigKeyInvalid,
  ConfigSyntaxError,
  NoLoginMethodAllowed,
} from "../errors/config.ts";
import { compact } from "../internal/compact.ts";
import { allowedLoginMethods, forcedRules, loginMethodNames } from "./administrator-rules.ts";

/** What one `requirements.toml`, or one fragment of a workspace's policy, requires. */
export interface Requirements {
  /** The file, or the name of the fragment. */
  readonly where: string;
  /** Which credentials may be used. */
  readonly rules: ReadonlyArray<AdministratorRule>;
  /** Keys of the configuration that replace those of every layer. */
  readonly required: TomlTable;
  /** Where requests have to be processed. */
  readonly residency?: "us";
  /** The whole text, in which errors count lines. */
  readonly text: string;
}

/** Reads `requirements.toml` of the system folder, and the one of device management on macOS. Later ones win. */
export const loadRequirements = (
  sources: Pick<ConfigSources, "managedPreferences" | "systemFolder">,
): Effect.Effect<ReadonlyArray<Requirements>, ConfigError> =>
  Effect.gen(function* () {
    const file = yield* requirementsFile(sources);
    const preference = yield* readPreference(sources, "requirements_toml_base64");
    const managed =
      preference === undefined
        ? undefined
        : yield* parseRequirements(preference.text, preference.where);
    return [file, managed].filter((one) => one !== undefined);
  });

const requirementsFile = (sources: {
  readonly systemFolder?: string;
}): Effect.Effect<Requirements | undefined, ConfigError> =>
  Effect.gen(function* () {
    const folder = sources.systemFolder ?? defaultSystemFolder;
    if (!hasSystemFolder(folder)) return undefined;
    const file = yield* readSystemFile(folder, "requirements.toml");
    if (file === undefined) return undefined;
    const { bytes, path: where } = file;
    if (!isUtf8(bytes))
      return yield* new ConfigSyntaxError({ where, reason: "it is not UTF-8", isSystemFile: true });
    return yield* parseRequirements(new TextDecoder().decode(bytes), where);
  });

/**
 * Returns the requirements in a text. Codex's rules about sandboxes, tools and models are ignored. An unknown rule whose
 * name suggests that it restricts sign-ins or requests is an error.
 */
export const parseRequirements = (
  text: string,
  where: string,
): Effect.Effect<Requirements, ConfigSyntaxError | ConfigKeyInvalid> =>
  Effect.gen(function* () {
    const table = yield* parseToml(text, { where, isSystemFile: true });
    return yield* Effect.try({
      try: () => readRequirements(table, { text, where }),
      catch: (error) => {
        if (error instanceof InvalidKey) return requirementError(error, { text, where });
        throw error;
      },
    });
  });

/** The error for a wrong key of an administrator's text. */
export const requirementError = (
  { path, problem }: InvalidKey,
  { text, where }: Pick<Requirements, "text" | "where">,
): ConfigKeyInvalid => {
  const line = lineOfKey(text, path);
  const key = path.join(".");
  return new ConfigKeyInvalid({ where, key, problem, isSystemFile: true, ...compact({ line }) });
};

/** Requirements that have the name and the values of a configuration key, and replace it. */
const requiredKeys = [
  "cli_auth_credentials_store",
  "chatgpt_base_url",
  "model_provider",
  "model_providers",
] as const;

const handledKeys: ReadonlySet<string> = new Set([
  ...requiredKeys,
  "allowed_login_methods",
  "allowed_chatgpt_workspaces",
  "enforce_residency",
]);

/** Keys of Codex that match the pattern below, but are not about sign-ins or model requests. */
const unrelatedKeys: ReadonlySet<string> = new Set(["allow_login_shell"]);

const mayMatter =
  /auth|login|sign_?in|credential|token|workspace|account|provider|residency|base_url|config_server/i;

const readRequirements = (
  table: TomlTable,
  { text, where }: Pick<Requirements, "text" | "where">,
): Requirements => {
  const reader = new TableReader(table, () => ({}));
  for (const key of reader.keys)
    if (mayMatter.test(key) && !handledKeys.has(key) && !unrelatedKeys.has(key))
      reader.fail(key, `${key} is a rule that this version of agent-auth does not know`);
  const methods = reader.strings("allowed_login_methods");
  const workspaces = reader.strings("allowed_chatgpt_workspaces");
  return {
    where,
    text,
    rules: [
      ...(methods === undefined ? [] : [methodsRule(reader, methods, where)]),
      ...(workspaces === undefined ? [] : [workspacesRule(workspaces, where)]),
    ],
    required: Object.fromEntries(
      requiredKeys.flatMap((key) => {
        const value = valueOf(table, key);
        return value === undefined ? [] : [[key, value]];
      }),
    ),
    ...compact({ residency: reader.oneOf("enforce_residency", ["us"]) }),
  };
};

const methodsRule = (
  reader: TableReader,
  names: ReadonlyArray<string>,
  where: string,
): AdministratorRule => {
  const key = "allowed_login_methods";
  const allowed = names.map(
    (name) =>
      loginMethodNames.find((known) => known === name) ??
      reader.mustBe(
        key,
        `a list of ${loginMethodNames.map((known) => `"${known}"`).join(" and ")}`,
      ),
  );
  return { _tag: "LoginMethods", key, where, allowed };
};

const workspacesRule = (ids: ReadonlyArray<string>, where: string): AdministratorRule => ({
  _tag: "Workspaces",
  key: "allowed_chatgpt_workspaces",
  where,
  allowed: ids.map((id) => id.trim()).filter((id) => id !== ""),
});

/** The required keys as a layer, so that errors name their file and line. */
export const requiredLayer = ({ required, text, where }: Requirements): ConfigLayer => ({
  where,
  table: required,
  text,
  file: where,
  isSystemFile: true,
});

/** Returns the configuration with the required keys in it. A required provider replaces the whole table of that id. */
export const mergeRequired = (
  table: TomlTable,
  requirements: ReadonlyArray<Pick<Requirements, "required">>,
): TomlTable => {
  let merged = table;
  for (const [key, value] of requirements.flatMap(({ required }) => Object.entries(required))) {
    const below = valueOf(merged, key);
    const isPart = key === "model_providers" && isTable(below) && isTable(value);
    merged = withValue(merged, key, isPart ? { ...below, ...value } : value);
  }
  return merged;
};

/** Returns a warning for each configured value that a required one replaces. The text is Codex's. */
export const replacedValues = (
  layers: ReadonlyArray<ConfigLayer>,
  { required, where }: Requirements,
): ReadonlyArray<string> =>
  Object.entries(required).flatMap(([key, value]) => {
    if (isTable(value))
      return Object.keys(value)
        .filter((id) => layerOf(layers, [key, id]) !== undefined)
        .map((id) => `The configured \`${key}.${id}\` is overridden by the one in ${where}.`);
    const layer = layerOf(layers, [key]);
    return layer === undefined || valueAt(layer.table, [key]) === value
      ? []
      : [
          `Configured value for \`${key}\` is overridden by the required value ${JSON.stringify(value)} from ${where}.`,
        ];
  });

/** Returns the configuration without a shared store, with a warning, if an administrator requires another store. */
export const withRequiredStore = (
  config: Config,
  layers: ReadonlyArray<ConfigLayer>,
  requirements: ReadonlyArray<Requirements>,
): Effect.Effect<Config> => {
  const key = "cli_auth_credentials_store";
  const { sharedStore, ...rest } = config;
  const by = requirements.find(({ required }) => Object.hasOwn(required, key));
  if (sharedStore === undefined || by === undefined) return Effect.succeed(config);
  const from = layerOf(layers, ["agent_auth", "store"])?.where;
  const warning = `The shared store of ${from} is not used, because ${by.where} requires \`${key}\`.`;
  return Effect.as(Effect.logWarning(warning), rest);
};

/**
 * Returns the configuration with the rules of administrators: those of the requirements, and `forced_…` keys that a
 * system file sets. Fails if no login method is left.
 */
export const withRules = (
  config: Config,
  layers: ReadonlyArray<ConfigLayer>,
  requirements: ReadonlyArray<Requirements>,
): Effect.Effect<Config, NoLoginMethodAllowed> => {
  const administratorRules = [
    ...requirements.flatMap(({ rules }) => rules),
    ...forcedByAdministrator(config, layers),
  ];
  const where = administratorRules.find(({ _tag }) => _tag === "LoginMethods")?.where;
  if (allowedLoginMethods({ ...config, administratorRules }).length === 0 && where !== undefined)
    return Effect.fail(new NoLoginMethodAllowed({ where }));
  const baseRequirement = requirements.findLast(({ required }) =>
    Object.hasOwn(required, "chatgpt_base_url"),
  );
  return Effect.succeed({
    ...config,
    ...(administratorRules.length > 0 && { administratorRules }),
    ...compact({
      residency: requirements.find((one) => one.residency !== undefined)?.residency,
      chatgptBaseUrlRequiredBy: baseRequirement?.where,
    }),
  });
};

const forcedByAdministrator = (
  { forcedLoginMethod, forcedWorkspaceIds }: Config,
  layers: ReadonlyArray<ConfigLayer>,
): ReadonlyArray<AdministratorRule> => {
  const decider = (key: string) => {
    const layer = layerOf(layers, [key]);
    return layer?.isSystemFile === true ? layer.where : undefined;
  };
  return forcedRules({
    loginMethod: compact({ value: forcedLoginMethod, where: decider("forced_login_method") }),
    workspaceIds: compact({
      value: forcedWorkspaceIds,
      where: decider("forced_chatgpt_workspace_id"),
    }),
  });
};
