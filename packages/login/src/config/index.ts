import * as Effect from "effect/Effect";
import {
  type ConfigLayer,
  type ConfigSources,
  keyError,
  layerOf,
  loadLayers,
  mergeLayers,
} from "./layers.ts";
import { readConfig } from "./read-config.ts";
import {
  loadRequirements,
  mergeRequired,
  replacedValues,
  type Requirements,
  requiredLayer,
  withRequiredStore,
  withRules,
} from "./requirements.ts";
import { InvalidKey } from "./table-reader.ts";
import { formatToml, isTable, mergeTables, type TomlTable, valueAt } from "./toml.ts";
import type { Config } from "./types.ts";
import { type ConfigError, sharedStoreVariable } from "../errors/config.ts";
import { ModelProviderNotFound } from "../errors/model-provider.ts";

export { allowedLoginMethods } from "./administrator-rules.ts";
export { type ConfigExplanation, type ExplainedKey, explainConfig } from "./explain.ts";
export * from "./types.ts";

/** What `loadConfig` reads. A `LoginEnvironment` has all of it except `overrides`. */
export type LoadConfigOptions = ConfigSources;

/**
 * Returns the configuration of a CODEX_HOME. Layers, lowest first: `/etc/codex/config.toml`, the user's `config.toml`,
 * `AGENT_AUTH_CONFIG`, `-c` overrides, `/etc/codex/managed_config.toml`. `/etc/codex/requirements.toml` restricts the
 * result: it fixes keys, and it says which credentials may be used. On Windows, the folder is
 * `C:\ProgramData\OpenAI\Codex`. On macOS, device management can force the same two texts (`com.openai.codex`).
 *
 * Keys that this project does not use are not looked at. Every other mistake is an error that names the layer, the line
 * and the key, and never quotes a value. A missing file has no keys; the file of a default folder that this user may not
 * enter is not used, with a warning. The `.codex/config.toml` of a project is never read.
 *
 * Relative paths start in the folder of the file that has them; in CODEX_HOME for `AGENT_AUTH_CONFIG`; and in the
 * working directory for `-c`.
 *
 * @example
 * ```ts
 * import { loadConfig } from "@agent-auth/login/config";
 * import { loadEnvironment } from "@agent-auth/login/config/environment";
 * import * as Effect from "effect/Effect";
 *
 * const environment = loadEnvironment({ HOME: "/nonexistent" });
 * const config = await Effect.runPromise(
 *   loadConfig({ ...environment, overrides: ["cli_auth_credentials_store=auto"] }),
 * );
 * console.log(config.credentialsStore, config.chatgptBaseUrl); // auto https://chatgpt.com/backend-api
 * ```
 */
export const loadConfig = (options: LoadConfigOptions): Effect.Effect<Config, ConfigError> =>
  Effect.gen(function* () {
    const layers = yield* loadLayers(options);
    const requirements = yield* loadRequirements(options);
    return yield* readLayers(layers, requirements);
  });

const readLayers = (
  layers: ReadonlyArray<ConfigLayer>,
  requirements: ReadonlyArray<Requirements>,
): Effect.Effect<Config, ConfigError> =>
  Effect.gen(function* () {
    const all = [...layers, ...requirements.map(requiredLayer)];
    const config = yield* Effect.try({
      try: () =>
        readConfig(
          mergeRequired(mergeLayers(layers), requirements),
          (path) => layerOf(all, path) ?? {},
        ),
      catch: (error) => {
        if (error instanceof InvalidKey) return keyError(all, error.path, error.problem);
        throw error;
      },
    });
    for (const warning of requirements.flatMap((one) => replacedValues(layers, one)))
      yield* Effect.logWarning(warning);
    return yield* withRules(
      yield* withRequiredStore(config, layers, requirements),
      layers,
      requirements,
    );
  });

/**
 * Returns the value of `AGENT_AUTH_CONFIG` for a child process: the TOML that makes `loadConfig` there return the same
 * configuration as here, without the overrides of this command line. `undefined` if there are no overrides; the child
 * then inherits the variable. It may contain secrets.
 *
 * @example
 * ```ts
 * import { configForChild } from "@agent-auth/login/config";
 * import { loadEnvironment } from "@agent-auth/login/config/environment";
 * import * as Effect from "effect/Effect";
 *
 * const environment = loadEnvironment({ HOME: "/nonexistent" });
 * const toml = await Effect.runPromise(
 *   configForChild({ ...environment, overrides: ["model_provider=acme"] }),
 * );
 * console.log(toml); // model_provider = "acme"
 * ```
 */
export const configForChild = (
  options: LoadConfigOptions,
): Effect.Effect<string | undefined, ConfigError> =>
  Effect.gen(function* () {
    if ((options.overrides ?? []).length === 0) return undefined;
    const layers = yield* loadLayers(options);
    const config = yield* readLayers(layers, yield* loadRequirements(options));
    const inherited = mergeLayers(
      layers.filter(({ file, where }) => file === undefined && where !== sharedStoreVariable),
    );
    return yield* formatToml(withFolders(inherited, config));
  });

/** Writes out the folder of every token command: for the child, all of these keys come from one layer. */
const withFolders = (table: TomlTable, { modelProviders }: Config): TomlTable => {
  const folders = [...modelProviders].flatMap(([id, { auth }]) =>
    isTable(valueAt(table, ["model_providers", id, "auth"]))
      ? [[id, { auth: { cwd: auth?.cwd } }] as const]
      : [],
  );
  if (folders.length === 0) return table;
  return mergeTables(table, { model_providers: Object.fromEntries(folders) });
};

/** The providers that are built into Codex. */
const builtInProviders: ReadonlySet<string> = new Set([
  "openai",
  "amazon-bedrock",
  "amazon-bedrock-runtime",
  "gcp",
  "lmstudio",
  "ollama",
]);

/**
 * Fails if `model_provider` names a provider that is neither built into Codex nor has a `[model_providers.<id>]` table.
 *
 * @example
 * ```ts
 * import { checkModelProvider, loadConfig } from "@agent-auth/login/config";
 * import { loadEnvironment } from "@agent-auth/login/config/environment";
 * import * as Effect from "effect/Effect";
 *
 * const config = await Effect.runPromise(loadConfig(loadEnvironment({ HOME: "/nonexistent" })));
 * await Effect.runPromise(checkModelProvider(config)); // no model_provider: nothing to find
 * ```
 */
export const checkModelProvider = ({
  modelProvider: id,
  modelProviders,
}: Pick<Config, "modelProvider" | "modelProviders">): Effect.Effect<void, ModelProviderNotFound> =>
  id === undefined || builtInProviders.has(id) || modelProviders.has(id)
    ? Effect.void
    : Effect.fail(new ModelProviderNotFound({ id, configured: [...modelProviders.keys()] }));
