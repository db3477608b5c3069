import * as Effect from "effect/Effect";
import * as z from "zod/mini";
import { forcedRules } from "../config/administrator-rules.ts";
import { readConfig } from "../config/read-config.ts";
import { parseRequirements, requirementError, type Requirements } from "../config/requirements.ts";
import { checkAdministratorRules } from "../config/restrictions.ts";
import { InvalidKey } from "../config/table-reader.ts";
import { parseToml, type TomlTable, valueOf } from "../config/toml.ts";
import type { AdministratorRule, Config } from "../config/types.ts";
import type { CredentialFacts } from "../credential/index.ts";
import type { ConfigKeyInvalid, ConfigSyntaxError } from "../errors/config.ts";
import type { ForbiddenByAdministrator } from "../errors/restriction.ts";
import { WorkspacePolicyConflict } from "../errors/workspace.ts";
import { compact } from "../internal/compact.ts";

const List = z.array(z.object({ name: z.nullish(z.string()), contents: z.string() }));

/** A list of fragments with a name that this version does not know could contain rules, so it must be empty. */
const Fragments = z.nullable(
  z.catchall(
    z.object({ enterprise_managed: z.nullish(List) }),
    z.unknown().check(z.refine((value) => !Array.isArray(value) || value.length === 0)),
  ),
);

/**
 * The answer of `config/bundle`: fragments of `config.toml` and of `requirements.toml`. Both members are required, or an
 * answer of another kind would count as one without a policy.
 */
export const ConfigBundle = z.object({ config_toml: Fragments, requirements_toml: Fragments });

export type ConfigBundle = z.infer<typeof ConfigBundle>;

/** A part of a policy, as a separate configuration. */
interface Part {
  readonly where: string;
  readonly table: TomlTable;
  readonly config: Config;
}

/** The policy of a workspace. */
export interface Policy {
  readonly rules: ReadonlyArray<AdministratorRule>;
  /** Keys that have to have these values. */
  readonly required: ReadonlyArray<Part>;
  /** Keys that have these values unless the machine's configuration sets them. */
  readonly defaults: ReadonlyArray<Part>;
  readonly residency?: "us";
}

type Fragment = { readonly where: string; readonly contents: string };

const fragmentsOf = (part: ConfigBundle["config_toml"]): ReadonlyArray<Fragment> =>
  (part?.enterprise_managed ?? []).map(({ contents, name }) => ({
    contents,
    where: `the workspace policy ${JSON.stringify(name ?? "without a name")}`,
  }));

/** Returns the policy in a bundle. Fails if a part of it is invalid: no part is left out. */
export const parsePolicy = Effect.fnUntraced(function* (
  bundle: ConfigBundle,
): Effect.fn.Return<Policy, ConfigKeyInvalid | ConfigSyntaxError> {
  const requirements: Array<Requirements> = [];
  for (const { contents, where } of fragmentsOf(bundle.requirements_toml))
    requirements.push(yield* parseRequirements(contents, where));
  const required: Array<Part> = [];
  for (const { required: table, text, where } of requirements)
    required.push(yield* readPart(table, { text, where }));
  const defaults: Array<Part> = [];
  for (const { contents: text, where } of fragmentsOf(bundle.config_toml)) {
    const table = yield* parseToml(text, { where, isSystemFile: true });
    defaults.push(yield* readPart(table, { text, where }));
  }
  const residency = requirements.find((one) => one.residency !== undefined)?.residency;
  return {
    rules: requirements.flatMap(({ rules }) => rules),
    required,
    defaults,
    ...compact({ residency }),
  };
});

const readPart = (
  table: TomlTable,
  source: { readonly text: string; readonly where: string },
): Effect.Effect<Part, ConfigKeyInvalid> =>
  Effect.try({
    try: () => ({ where: source.where, table, config: readConfig(table, () => ({})) }),
    catch: (error) => {
      if (error instanceof InvalidKey) return requirementError(error, source);
      throw error;
    },
  });

/**
 * Fails if a workspace's policy forbids a credential, or if the configuration of this machine has another value for a key
 * that the policy sets: requests could go to a server that the administrator did not choose.
 */
export const enforcePolicy = Effect.fnUntraced(function* (
  policy: Policy,
  config: Config,
  credential: CredentialFacts,
): Effect.fn.Return<void, ForbiddenByAdministrator | WorkspacePolicyConflict> {
  yield* checkAdministratorRules([...policy.rules, ...defaultRules(policy, config)], credential);
  for (const part of policy.required) yield* refuseConflict(part, config, () => true);
  for (const part of policy.defaults)
    yield* refuseConflict(part, config, ({ isDefault }) => isDefault);
});

/** The `forced_…` keys of the policy. The machine's configuration overrides them, as in Codex. */
const defaultRules = (
  { defaults }: Policy,
  { forcedLoginMethod, forcedWorkspaceIds }: Config,
): ReadonlyArray<AdministratorRule> =>
  defaults.flatMap(({ config, where }) =>
    forcedRules({
      loginMethod:
        forcedLoginMethod === undefined ? compact({ value: config.forcedLoginMethod, where }) : {},
      workspaceIds:
        forcedWorkspaceIds === undefined
          ? compact({ value: config.forcedWorkspaceIds, where })
          : {},
    }),
  );

interface KeyState {
  /** Whether the machine's configuration leaves the key at its default. */
  readonly isDefault: boolean;
}

const emptyConfig = readConfig({}, () => ({}));

const comparedKeys: ReadonlyArray<{
  readonly key: string;
  readonly of: (config: Config) => string | undefined;
}> = [
  { key: "chatgpt_base_url", of: ({ chatgptBaseUrl }) => chatgptBaseUrl },
  { key: "openai_base_url", of: ({ openaiBaseUrl }) => openaiBaseUrl },
  { key: "cli_auth_credentials_store", of: ({ credentialsStore }) => credentialsStore },
  { key: "model_provider", of: ({ modelProvider = "openai" }) => modelProvider },
];

const refuseConflict = (
  { config: wanted, table, where }: Part,
  config: Config,
  isBinding: (state: KeyState) => boolean,
): Effect.Effect<void, WorkspacePolicyConflict> => {
  for (const { key, of } of comparedKeys) {
    if (valueOf(table, key) === undefined || of(wanted) === of(config)) continue;
    if (isBinding({ isDefault: of(config) === of(emptyConfig) }))
      return Effect.fail(
        new WorkspacePolicyConflict({ key, where, ...compact({ value: of(wanted) }) }),
      );
  }
  const id = config.modelProvider ?? "openai";
  const provider = wanted.modelProviders.get(id);
  const own = config.modelProviders.get(id);
  const isSame =
    provider === undefined ||
    (own?.baseUrl === provider.baseUrl &&
      own?.envKey === provider.envKey &&
      own?.requiresOpenaiAuth === provider.requiresOpenaiAuth);
  return isSame || !isBinding({ isDefault: own === undefined })
    ? Effect.void
    : Effect.fail(new WorkspacePolicyConflict({ key: `model_providers.${id}`, where }));
};
