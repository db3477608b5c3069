import { callerContext } from "@agent-auth/agent-identity/promises/caller-context";
import type { Config } from "@agent-auth/login/config";
import {
  loadEnvironment,
  type LoginEnvironment,
  type Variables,
} from "@agent-auth/login/config/environment";
import type { PromiseAuthManager } from "@agent-auth/login/promises";
import * as Effect from "effect/Effect";
import * as ManagedRuntime from "effect/ManagedRuntime";
import type * as Redacted from "effect/Redacted";
import type { AnyAuthManager } from "../credentials/index.ts";
import {
  type AuthenticatedFetch,
  createAuthenticatedFetch,
  type RequestOptions,
} from "../fetch/index.ts";
import { openNetwork } from "../network/index.ts";
import { accountState, type AccountState } from "../provider/account-state.ts";
import { type ModelProvider, resolveProvider } from "../provider/index.ts";
import { makeRuntime } from "../runtime/index.ts";
import { headerRecord } from "../signing/header-record.ts";
import { createHeaderSource, type HeaderSource } from "../signing/headers.ts";
import { makeRequestSigner, type RequestSignerShape } from "../signing/request-signer.ts";
import type { SignedHeaders } from "../signing/signed-headers.ts";
import { connectWebSocket, type WebSocketOptions } from "../websocket/index.ts";

export { isModelProviderError } from "../errors/index.ts";

export type ModelProviderOptions = ModelProviderSettings & CredentialSettings;

/** An auth manager, or what is needed to open one. */
export type CredentialSettings =
  | {
      /** Where credentials come from. `close` does not close it. */
      readonly manager: AnyAuthManager;
    }
  | {
      /** Default: a new auth manager, which `close` closes. */
      readonly manager?: undefined;
      /**
       * Whether `CODEX_API_KEY` and `CODEX_AGENT_IDENTITY` count. Pass true in a program that runs for the person who set
       * them, false in a server that acts for others.
       */
      readonly environmentCredentials: boolean;
    };

export interface ModelProviderSettings extends RequestOptions {
  /** The parsed environment. Default: `variables`, parsed. */
  readonly environment?: LoginEnvironment;
  /** Default `process.env`. */
  readonly variables?: Variables;
  /** Folder of `auth.json` and `config.toml`, if `environment` is absent. Default: `CODEX_HOME`, else `~/.codex`. */
  readonly codexHome?: string;
  /** The loaded configuration. Default: `config.toml` of CODEX_HOME. */
  readonly config?: Config;
  /** Overrides of `config.toml`, each `dotted.key=value`, as after `-c`. Default none. */
  readonly configOverrides?: ReadonlyArray<string>;
  /** Default: `model_provider` of the configuration, else `openai`. */
  readonly providerId?: string;
  /** Allows credentials on plain http to other machines. Default false. */
  readonly allowInsecureHttp?: boolean;
  /** First part of the User-Agent, `<name>/<version>`, of requests that do not set one. Default `agent-auth`. */
  readonly userAgent?: string;
  /**
   * Called with one line, without secrets, about a problem that did not make a call fail, such as a failed recovery.
   * Default: the logger of `context`, if given, else a line on stderr.
   */
  readonly onWarning?: (message: string) => void;
  /** Default `codex_cli_rs`. `CODEX_INTERNAL_ORIGINATOR_OVERRIDE` takes precedence. */
  readonly originator?: string;
}

type Call = { readonly signal?: AbortSignal };

/** One model provider and the credential for it. Everything here shares loads, refreshes and connections. */
export interface ModelProviderClient extends HeaderSource {
  readonly provider: ModelProvider;
  /** For `authInterceptor({ signer })` and the other functions of this package. */
  readonly signer: RequestSignerShape;
  /** An authenticated `fetch`. A relative input is a path below the base URL. See `createAuthenticatedFetch`. */
  readonly fetch: AuthenticatedFetch;
  /** Returns the bearer token alone; `null` for an agent identity, whose assertions are not tokens, and for no credential. */
  readonly token: (call?: Call) => Promise<Redacted.Redacted | null>;
  /** Returns the account that the next request is sent for, or why there is none. Never rejects. */
  readonly accountState: () => Promise<AccountState>;
  /** Returns an open WebSocket to a path below the base URL. See `connectWebSocket`. */
  readonly webSocket: (
    url: string,
    options?: Omit<WebSocketOptions, "url" | "signer" | "provider" | "manager" | "context"> & {
      readonly protocols?: ReadonlyArray<string>;
    },
  ) => ReturnType<typeof connectWebSocket>;
  /** Closes the connections, and the manager if it was opened here. */
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/**
 * Returns a client for the model provider that is configured under CODEX_HOME. Reads the environment and `config.toml`. The
 * credential is loaded when it is first needed, and undici by the first request. Rejects with a `ModelProviderError` if
 * the configuration is wrong; nothing is sent before that is known.
 *
 * @example
 * ```ts
 * import { createModelProvider } from "@agent-auth/model-provider/promises";
 *
 * await using provider = await createModelProvider({
 *   environmentCredentials: true,
 *   variables: { CODEX_API_KEY: "sk-1", CODEX_HOME: process.cwd() },
 * });
 * await provider.headers(); // { Authorization: "Bearer sk-1" }
 * ```
 */
export const createModelProvider = async (
  options: ModelProviderOptions,
): Promise<ModelProviderClient> => {
  const environment = environmentOf(options);
  const runtime = makeRuntime({ context: callerContext(options) });
  const { context } = runtime;
  const config =
    options.config ?? (await loadConfigFile(environment, options.configOverrides ?? []));
  const provider = await runtime.run(
    Effect.fromResult(
      resolveProvider({
        config,
        environment,
        ...(options.providerId === undefined ? {} : { providerId: options.providerId }),
        allowInsecureHttp: options.allowInsecureHttp ?? false,
      }),
    ),
  );
  const opened =
    options.manager === undefined && provider.auth._tag === "SignedIn"
      ? await openManager(options, environment, config)
      : undefined;
  const manager = options.manager ?? opened;
  const gateway = await openGateway(provider, environment, options);
  const signer = makeRequestSigner({
    provider,
    ...(manager === undefined ? {} : { manager }),
    ...(gateway === undefined ? {} : { gateway: gateway.tokens }),
  });
  const headers = createHeaderSource({ signer, context });
  const network = openNetwork(environment, options);
  const close = async (): Promise<void> => {
    await network.close();
    await opened?.close();
    await gateway?.close();
  };
  return {
    provider,
    signer,
    ...headers,
    fetch: createAuthenticatedFetch({ ...options, signer, context, fetch: network.send }),
    token: async (call) => bearerToken(await headers.sign(call)),
    accountState: () => runtime.run(accountState(manager ?? null, provider)),
    webSocket: async (url, call = {}) =>
      connectWebSocket({
        ...call,
        signer,
        context,
        url,
        headers: { ...network.defaultHeaders, ...headerRecord(call.headers ?? {}) },
        dispatcher: await network.dispatcher(),
      }),
    close,
    [Symbol.asyncDispose]: close,
  };
};

const environmentOf = ({ codexHome, environment, variables }: ModelProviderSettings) =>
  environment ??
  loadEnvironment({
    ...(variables ?? process.env),
    ...(codexHome === undefined ? {} : { CODEX_HOME: codexHome }),
  });

const loadConfigFile = async (
  environment: LoginEnvironment,
  overrides: ReadonlyArray<string>,
): Promise<Config> => {
  const { loadConfig } = await import("@agent-auth/login/config");
  return Effect.runPromise(loadConfig({ ...environment, overrides }));
};

const openManager = async (
  {
    environmentCredentials,
    allowInsecureHttp,
    onWarning,
  }: ModelProviderOptions & {
    readonly manager?: undefined;
  },
  environment: LoginEnvironment,
  config: Config,
): Promise<PromiseAuthManager> => {
  const { createAuthManager } = await import("@agent-auth/login/promises");
  return createAuthManager({
    environment,
    config,
    environmentCredentials,
    allowInsecureHttp: allowInsecureHttp ?? false,
    loadAtStart: false,
    ...(onWarning === undefined ? {} : { onWarning }),
  });
};

/** The tokens of a provider's gateway sign-in, over their own HTTP client. */
const openGateway = async (
  { gateway, id: providerId }: ModelProvider,
  environment: LoginEnvironment,
  { originator, userAgent }: ModelProviderSettings,
) => {
  if (gateway?._tag !== "Session") return undefined;
  const { makeGatewayTokens } = await import("@agent-auth/login/gateway-oauth");
  const { layer } = await import("@agent-auth/login/http");
  const http = ManagedRuntime.make(
    layer(environment, {
      ...(userAgent === undefined ? {} : { userAgent }),
      ...(originator === undefined ? {} : { originator }),
    }),
  );
  const { codexHome } = environment;
  const tokens = await http.runPromise(
    makeGatewayTokens({ providerId, config: gateway, codexHome }),
  );
  return { tokens, close: () => http.dispose() };
};

const bearerToken = ({ credential }: SignedHeaders): Redacted.Redacted | null => {
  if (credential === null) return null;
  switch (credential._tag) {
    case "AgentIdentity":
      return null;
    case "ApiKey":
      return credential.apiKey;
    case "Bearer":
    case "PersonalAccessToken":
      return credential.token;
    default:
      return credential.accessToken;
  }
};
