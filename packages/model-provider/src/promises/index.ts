import type { Config } from "@agent-auth/login/config";
import {
  type LoginEnvironment,
  loadEnvironment,
  type Variables,
} from "@agent-auth/login/config/environment";
import type { PromiseAuthManager } from "@agent-auth/login/promises";
import * as Effect from "effect/Effect";
import type * as Redacted from "effect/Redacted";
import { accountState, type AccountState } from "../provider/account-state.ts";
import {
  type AuthenticatedFetch,
  createAuthenticatedFetch,
  type RequestOptions,
} from "../fetch/index.ts";
import type { AnyAuthManager } from "../credentials/index.ts";
import { createHeaderSource, type HeaderSource } from "../signing/headers.ts";
import { openNetwork } from "../network/index.ts";
import { type ModelProvider, resolveProvider } from "../provider/index.ts";
import { makeRequestSigner, type RequestSignerShape } from "../signing/request-signer.ts";
import { headerRecord, type SignedHeaders } from "../signing/signed-headers.ts";
import { connectWebSocket, type WebSocketOptions } from "../websocket/index.ts";

export { isModelProviderError } from "../errors/index.ts";

export type ModelProviderOptions = ModelProviderSettings & CredentialSettings;

/** An auth manager that stands already, or what is needed to open one. */
export type CredentialSettings =
  | {
      /** Where credentials come from. It stays open; its owner closes it. */
      readonly manager: AnyAuthManager;
    }
  | {
      /** Default: an auth manager of its own, which `close` closes. */
      readonly manager?: undefined;
      /** Whether `CODEX_API_KEY` and `CODEX_AGENT_IDENTITY` count. A program of its own says true, a server for others false. */
      readonly environmentCredentials: boolean;
    };

export interface ModelProviderSettings extends RequestOptions {
  /** The environment, where a front door has read it already. Default: `variables`, parsed. */
  readonly environment?: LoginEnvironment;
  /** Default `process.env`. */
  readonly variables?: Variables;
  /** Folder of `auth.json` and `config.toml`, where no `environment` names it. Default: `CODEX_HOME`, else `~/.codex`. */
  readonly codexHome?: string;
  /** The configuration, where a front door has loaded it already. Default: `config.toml` of CODEX_HOME. */
  readonly config?: Config;
  /** Overrides of `config.toml`, each `dotted.key=value`, as after `-c`. Default none. */
  readonly configOverrides?: ReadonlyArray<string>;
  /** Default: `model_provider` of the configuration, else `openai`. */
  readonly providerId?: string;
  /** Lets identities travel over plain http to other machines. Default false. */
  readonly allowInsecureHttp?: boolean;
  /** First part of the User-Agent, `<name>/<version>`, where a request has none. Default `agent-auth`. */
  readonly userAgent?: string;
  /** Told, in one line without secrets, of what went wrong and was got round. Default: a line on stderr. */
  readonly onWarning?: (message: string) => void;
  /** Default `codex_cli_rs`; `CODEX_INTERNAL_ORIGINATOR_OVERRIDE` beats it. */
  readonly originator?: string;
}

type Call = { readonly signal?: AbortSignal };

/** One model provider and the identity that speaks to it. Every face shares its loads, refreshes and connections. */
export interface ModelProviderClient extends HeaderSource {
  readonly provider: ModelProvider;
  /** For the faces that are not here: `authInterceptor({ signer })`, `connectWebSocket({ signer, … })`. */
  readonly signer: RequestSignerShape;
  /** `fetch` with the identity; a relative input is a path below the base URL. See `createAuthenticatedFetch`. */
  readonly fetch: AuthenticatedFetch;
  /** The bearer token alone, or `null` where the identity is an agent's (its assertions are no tokens) or nobody's. */
  readonly token: (call?: Call) => Promise<Redacted.Redacted | null>;
  /** Who the next request will speak for, or why nobody. Never rejects. */
  readonly accountState: () => Promise<AccountState>;
  /** An open WebSocket to a path below the base URL. See `connectWebSocket`. */
  readonly webSocket: (
    url: string,
    options?: Omit<WebSocketOptions, "url" | "signer" | "provider" | "manager"> & {
      readonly protocols?: ReadonlyArray<string>;
    },
  ) => ReturnType<typeof connectWebSocket>;
  /** Closes connections and the manager that it opened. */
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/**
 * The provider that is configured under CODEX_HOME, ready for requests in the name of whoever is signed in. Reads the
 * environment and `config.toml`; the credential is loaded by the first use, and undici by the first request. Rejects
 * with a `ModelProviderError` where the configuration is wrong; nothing is contacted before that is known.
 */
export const createModelProvider = async (
  options: ModelProviderOptions,
): Promise<ModelProviderClient> => {
  const environment = environmentOf(options);
  const config =
    options.config ?? (await loadConfigFile(environment, options.configOverrides ?? []));
  const provider = await Effect.runPromise(
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
  const signer = makeRequestSigner({ provider, ...(manager === undefined ? {} : { manager }) });
  const http = openNetwork(environment, options);
  const close = async (): Promise<void> => {
    await http.close();
    await opened?.close();
  };
  return {
    provider,
    signer,
    ...createHeaderSource({ signer }),
    fetch: createAuthenticatedFetch({ ...options, signer, fetch: http.send }),
    token: async (call) => bearerToken(await createHeaderSource({ signer }).sign(call)),
    accountState: () => Effect.runPromise(accountState(manager ?? null, provider)),
    webSocket: async (url, call = {}) =>
      connectWebSocket({
        ...call,
        signer,
        url,
        headers: { ...http.standing, ...headerRecord(call.headers ?? {}) },
        dispatcher: await http.dispatcher(),
      }),
    close,
    [Symbol.asyncDispose]: close,
  };
};

const environmentOf = (options: ModelProviderOptions): LoginEnvironment => {
  if (options.environment !== undefined) return options.environment;
  const { codexHome } = options;
  return loadEnvironment({
    ...(options.variables ?? process.env),
    ...(codexHome === undefined ? {} : { CODEX_HOME: codexHome }),
  });
};

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
