import * as Effect from "effect/Effect";
import { lineOfKey } from "./key-line.ts";
import { type ConfigLayer, type ConfigSources, loadLayers } from "./layers.ts";
import { loadRequirements, requiredLayer } from "./requirements.ts";
import { isTable, valueAt } from "./toml.ts";
import type { AdministratorRule } from "./types.ts";
import type { ConfigError } from "../errors/config.ts";
import { compact } from "../internal/compact.ts";

/** A key of the configuration and the layer that sets it. */
export interface ExplainedKey {
  /** Dotted, as after `-c`; a provider is one key. */
  readonly key: string;
  /** The file's path, `AGENT_AUTH_CONFIG`, or `-c`. */
  readonly where: string;
  /** Counted from 1; absent for `-c`. */
  readonly line?: number;
  /** Whether `requirements.toml` fixes it. */
  readonly isRequired: boolean;
}

/** Which layer sets which key, and the rules of `requirements.toml`. */
export interface ConfigExplanation {
  /** The keys that agent-auth uses, in alphabetical order. Values are left out, because they may be secrets. */
  readonly keys: ReadonlyArray<ExplainedKey>;
  readonly rules: ReadonlyArray<AdministratorRule>;
  readonly residency?: { readonly value: "us"; readonly where: string };
}

const usedKeys: ReadonlyArray<ReadonlyArray<string>> = [
  ["agent_auth", "backend_origins"],
  ["agent_auth", "store"],
  ["chatgpt_base_url"],
  ["cli_auth_credentials_store"],
  ["features", "secret_auth_storage"],
  ["forced_chatgpt_workspace_id"],
  ["forced_login_method"],
  ["model_provider"],
  ["openai_base_url"],
];

/**
 * Returns which file set which key, and the requirements that apply, for diagnostics. Values are not checked.
 *
 * @example
 * ```ts
 * import { explainConfig } from "@agent-auth/login/config";
 * import { loadEnvironment } from "@agent-auth/login/config/environment";
 * import * as Effect from "effect/Effect";
 *
 * const environment = loadEnvironment({ HOME: "/nonexistent" });
 * const sources = { ...environment, overrides: ["forced_login_method=api"] };
 * const { keys } = await Effect.runPromise(explainConfig(sources));
 * console.log(keys); // [{ key: "forced_login_method", where: "-c", isRequired: false }]
 * ```
 */
export const explainConfig = Effect.fnUntraced(function* (
  sources: ConfigSources,
): Effect.fn.Return<ConfigExplanation, ConfigError> {
  const layers = yield* loadLayers(sources);
  const requirements = yield* loadRequirements(sources);
  const required = requirements.map(requiredLayer);
  const all = [...layers, ...required];
  const paths = [...usedKeys, ...providerPaths(all)];
  const keys = paths.flatMap((path): ReadonlyArray<ExplainedKey> => {
    const layer = all.findLast(({ table }) => valueAt(table, path) !== undefined);
    if (layer === undefined) return [];
    const line = layer.text === undefined ? undefined : lineOfKey(layer.text, path);
    const isRequired = required.includes(layer);
    return [{ key: path.join("."), where: layer.where, isRequired, ...compact({ line }) }];
  });
  const residency = requirements.find((one) => one.residency !== undefined);
  return {
    keys: keys.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    rules: requirements.flatMap(({ rules }) => rules),
    ...(residency?.residency !== undefined && {
      residency: { value: residency.residency, where: residency.where },
    }),
  };
});

const providerPaths = (
  layers: ReadonlyArray<ConfigLayer>,
): ReadonlyArray<ReadonlyArray<string>> => {
  const ids = layers.flatMap(({ table }) => {
    const providers = valueAt(table, ["model_providers"]);
    return isTable(providers) ? Object.keys(providers) : [];
  });
  return [...new Set(ids)].map((id) => ["model_providers", id]);
};
