import type {
  CommandTokenConfig,
  Config,
  GatewayOauthConfig,
  ModelProviderConfig,
} from "@agent-auth/login/config";
import type { CredentialFacts, WorkspaceAccess } from "@agent-auth/login/credential";
import type { LoginEnvironment } from "@agent-auth/login/config/environment";
import { ModelProviderNotFound } from "@agent-auth/login/errors/model-provider";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import {
  apiBaseUrl,
  codexBaseUrl,
  fedrampApiBaseUrl,
  hasFedrampPrefix,
  isInsecure,
  parseBaseUrl,
  type RequestTarget,
} from "./base-url.ts";
import {
  EnvKeyMissing,
  ProviderBaseUrlInvalid,
  type HeaderInvalid,
  type ProviderConfigError,
} from "../errors/index.ts";
import { checkHeader, isCredentialHeader, residencyHeader } from "./header-syntax.ts";

/** How requests to a provider are authenticated. */
export type ProviderAuth =
  /** With the value of an environment variable (`env_key`). */
  | { readonly _tag: "EnvKey"; readonly variable: string; readonly token: Redacted.Redacted }
  /** With `experimental_bearer_token`. */
  | { readonly _tag: "BearerToken"; readonly token: Redacted.Redacted }
  /** With the output of a command. */
  | { readonly _tag: "Command"; readonly command: CommandTokenConfig }
  /** With the signed-in credential. */
  | { readonly _tag: "SignedIn" }
  /** Not at all, or with a header of `http_headers` or `env_http_headers`. */
  | { readonly _tag: "None" };

/** A header that a provider's configuration sets (`http_headers`, `env_http_headers`). Its value may be a secret. */
export interface ProviderHeader {
  readonly name: string;
  readonly value: Redacted.Redacted;
  /** Whether the header counts as a credential: a client's own `Authorization` is then not sent in addition to it. */
  readonly isCredential: boolean;
}

/** Where requests go, by the credential that they carry. */
export interface ProviderTargets {
  readonly apiKey: RequestTarget;
  readonly fedrampApiKey: RequestTarget;
  readonly chatgpt: RequestTarget;
}

/** A model provider as configured and checked, with its environment variables read. */
export interface ModelProvider {
  readonly id: string;
  readonly name: string;
  readonly auth: ProviderAuth;
  readonly targets: ProviderTargets;
  /** In the order of the configuration. `env_http_headers` replace `http_headers` of the same name. */
  readonly headers: ReadonlyArray<ProviderHeader>;
  readonly queryParams: ReadonlyArray<readonly [name: string, value: Redacted.Redacted]>;
  /** Attempts after the first one on 5xx, 429 and transport failures. Default 0. */
  readonly requestMaxRetries: number;
  readonly wireApi?: string;
  /** The sign-in to the gateway in front of the provider. Its token is sent in addition to the provider's credential. */
  readonly gateway?: GatewayOauthConfig;
  /**
   * Whether `targets.chatgpt` is the configured backend (`chatgpt_base_url`). If so, the routing of a workspace applies
   * to its requests.
   */
  readonly isRoutedByWorkspace: boolean;
}

export interface ResolveProviderOptions {
  readonly config: Pick<
    Config,
    "chatgptBaseUrl" | "openaiBaseUrl" | "modelProvider" | "modelProviders" | "residency"
  >;
  readonly environment: Pick<LoginEnvironment, "dotEnv" | "variable">;
  /** Default: `model_provider` of the configuration, else `openai`. */
  readonly providerId?: string;
  /** Allows the signed-in credential on plain http to another machine. Default false. */
  readonly allowInsecureHttp?: boolean;
}

/** The built-in provider. */
export const defaultProviderId = "openai";

const openai: ModelProviderConfig = {
  name: "OpenAI",
  requiresOpenaiAuth: true,
  queryParams: {},
  httpHeaders: {},
  envHttpHeaders: {
    "OpenAI-Organization": "OPENAI_ORGANIZATION",
    "OpenAI-Project": "OPENAI_PROJECT",
  },
};

/**
 * Returns the provider that requests go to (docs/protocol.md §12). Checks that the id is configured, that base URLs are
 * http(s), that headers are legal, and that the variable of `env_key` is set. Reads no file and sends nothing.
 *
 * @example
 * ```ts
 * import { resolveProvider } from "@agent-auth/model-provider/provider";
 * import * as Result from "effect/Result";
 *
 * const provider = Result.getOrThrow(
 *   resolveProvider({
 *     config: { chatgptBaseUrl: "https://chatgpt.com/backend-api", modelProviders: new Map() },
 *     environment: { variable: () => undefined },
 *   }),
 * );
 * provider.targets.chatgpt.baseUrl; // "https://chatgpt.com/backend-api/codex"
 * ```
 */
export const resolveProvider = (
  options: ResolveProviderOptions,
): Result.Result<ModelProvider, ProviderConfigError> =>
  Result.gen(function* () {
    const { config, environment } = options;
    const id = options.providerId ?? config.modelProvider ?? defaultProviderId;
    const table = config.modelProviders.get(id) ?? (id === defaultProviderId ? openai : undefined);
    if (table === undefined)
      return yield* Result.fail(
        new ModelProviderNotFound({ id, configured: [...config.modelProviders.keys()] }),
      );
    const targets = yield* resolveTargets(id, table, config);
    const auth = yield* resolveAuth(id, table, environment);
    const configured = yield* resolveHeaders(table, environment);
    const headers =
      config.residency === undefined || auth._tag !== "SignedIn"
        ? configured
        : [...configured, residencyHeaderOf(config.residency)];
    if (auth._tag === "SignedIn" && options.allowInsecureHttp !== true)
      yield* refuseInsecure(id, table, config, targets);
    return {
      id,
      name: table.name ?? (id === defaultProviderId ? "OpenAI" : id),
      auth,
      targets,
      headers,
      queryParams: Object.entries(table.queryParams),
      ...(table.gatewayOauth === undefined
        ? {}
        : { gateway: resolveGateway(table.gatewayOauth, environment) }),
      requestMaxRetries: table.requestMaxRetries ?? 0,
      isRoutedByWorkspace:
        auth._tag === "SignedIn" &&
        targets.chatgpt.origin === URL.parse(config.chatgptBaseUrl)?.origin,
      ...(table.wireApi === undefined ? {} : { wireApi: table.wireApi }),
    };
  });

/**
 * Returns where a request with this credential goes; `null` means a request without one.
 *
 * @example
 * ```ts
 * import { type ModelProvider, requestTarget } from "@agent-auth/model-provider/provider";
 *
 * const apiBaseUrl = (provider: ModelProvider): string => requestTarget(provider, null).baseUrl;
 * ```
 */
export const requestTarget = (
  provider: ModelProvider,
  credential: CredentialFacts | null,
): RequestTarget => {
  switch (credential?._tag) {
    case "Chatgpt":
    case "ExternalChatgpt":
    case "PersonalAccessToken":
      return routed(provider, credential.workspace);
    case "AgentIdentity":
      return provider.targets.chatgpt;
    case "WorkloadIdentity":
      return credential.backend === "chatgpt"
        ? routed(provider, credential.workspace)
        : provider.targets.apiKey;
    case "ApiKey":
      return hasFedrampPrefix(credential.apiKey)
        ? provider.targets.fedrampApiKey
        : provider.targets.apiKey;
    default:
      return provider.targets.apiKey;
  }
};

/** The target of a workspace's requests: the path stays, the origin is the one that the backend names. */
const routed = (
  { isRoutedByWorkspace, targets }: ModelProvider,
  workspace: WorkspaceAccess | undefined,
): RequestTarget => {
  const origin = isRoutedByWorkspace ? workspace?.origin : undefined;
  if (origin === undefined) return targets.chatgpt;
  const { basePath } = targets.chatgpt;
  return { origin, basePath, baseUrl: origin + basePath };
};

const residencyHeaderOf = (residency: string): ProviderHeader => ({
  name: residencyHeader,
  value: Redacted.make(residency, { label: residencyHeader }),
  isCredential: false,
});

type Urls = ResolveProviderOptions["config"];

const resolveTargets = (
  providerId: string,
  table: ModelProviderConfig,
  config: Urls,
): Result.Result<ProviderTargets, ProviderBaseUrlInvalid> => {
  const fixed = fixedBaseUrl(table, config);
  if (fixed !== undefined)
    return Result.map(
      parseBaseUrl(fixed.url, { providerId, setting: fixed.setting }),
      (target) => ({
        apiKey: target,
        fedrampApiKey: target,
        chatgpt: target,
      }),
    );
  const setting = "chatgpt_base_url";
  return Result.gen(function* () {
    const base = yield* parseBaseUrl(config.chatgptBaseUrl, { providerId, setting });
    return {
      apiKey: yield* parseBaseUrl(apiBaseUrl, { providerId, setting }),
      fedrampApiKey: yield* parseBaseUrl(fedrampApiBaseUrl, { providerId, setting }),
      chatgpt: yield* parseBaseUrl(codexBaseUrl(base), { providerId, setting }),
    };
  });
};

const fixedBaseUrl = (
  table: ModelProviderConfig,
  config: Urls,
): { readonly url: string; readonly setting: string } | undefined => {
  if (table.baseUrl !== undefined) return { url: table.baseUrl, setting: "base_url" };
  return config.openaiBaseUrl === undefined
    ? undefined
    : { url: config.openaiBaseUrl, setting: "openai_base_url" };
};

const refuseInsecure = (
  providerId: string,
  table: ModelProviderConfig,
  config: Urls,
  targets: ProviderTargets,
): Result.Result<void, ProviderBaseUrlInvalid> =>
  Object.values(targets).some(isInsecure)
    ? Result.fail(
        new ProviderBaseUrlInvalid({
          providerId,
          setting: fixedBaseUrl(table, config)?.setting ?? "chatgpt_base_url",
          reason: "insecureHttp",
        }),
      )
    : Result.void;

const resolveAuth = (
  providerId: string,
  table: ModelProviderConfig,
  environment: ResolveProviderOptions["environment"],
): Result.Result<ProviderAuth, EnvKeyMissing> => {
  if (table.envKey !== undefined) {
    const variable = table.envKey;
    const token = environment.variable(variable);
    if (token !== undefined) return Result.succeed({ _tag: "EnvKey", variable, token });
    const instructions = table.envKeyInstructions;
    return Result.fail(
      new EnvKeyMissing({
        providerId,
        variable,
        ...(instructions === undefined ? {} : { instructions }),
      }),
    );
  }
  if (table.experimentalBearerToken !== undefined)
    return Result.succeed({ _tag: "BearerToken", token: table.experimentalBearerToken });
  if (table.auth !== undefined) {
    return Result.succeed({ _tag: "Command", command: withDotEnv(table.auth, environment) });
  }
  return Result.succeed({ _tag: table.requiresOpenaiAuth ? "SignedIn" : "None" });
};

const withDotEnv = (
  command: CommandTokenConfig,
  { dotEnv }: ResolveProviderOptions["environment"],
): CommandTokenConfig => (dotEnv === undefined ? command : { ...command, dotEnv });

const resolveGateway = (
  gateway: GatewayOauthConfig,
  environment: ResolveProviderOptions["environment"],
): GatewayOauthConfig =>
  gateway._tag === "Command"
    ? { ...gateway, command: withDotEnv(gateway.command, environment) }
    : gateway;

const resolveHeaders = (
  table: ModelProviderConfig,
  environment: ResolveProviderOptions["environment"],
): Result.Result<ReadonlyArray<ProviderHeader>, HeaderInvalid> => {
  const headers = new Map<string, ProviderHeader>();
  const add = (
    from: "http_headers" | "env_http_headers",
    name: string,
    value: Redacted.Redacted,
  ): HeaderInvalid | null => {
    headers.set(name.toLowerCase(), { name, value, isCredential: isCredentialHeader(name, from) });
    return checkHeader(name, Redacted.value(value), from);
  };
  for (const [name, value] of Object.entries(table.httpHeaders)) {
    const illegal = add("http_headers", name, value);
    if (illegal !== null) return Result.fail(illegal);
  }
  for (const [name, variable] of Object.entries(table.envHttpHeaders)) {
    const value = environment.variable(variable);
    const illegal = value === undefined ? null : add("env_http_headers", name, value);
    if (illegal !== null) return Result.fail(illegal);
  }
  return Result.succeed([...headers.values()]);
};
