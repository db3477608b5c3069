import type * as Redacted from "effect/Redacted";
import type { IdentitySourceName } from "../credential/index.ts";
import type { CredentialsStoreMode } from "../storage/index.ts";

/** The variables of a `.env` file. Values may be secrets. */
export interface EnvFile {
  readonly path: string;
  readonly variables: Readonly<Record<string, Redacted.Redacted>>;
}

/** A command that prints a provider's bearer token (`[model_providers.<id>.auth]`). */
export interface CommandTokenConfig {
  /** A program in `PATH`, or a path. A relative path starts in `cwd`. */
  readonly command: string;
  /** Each may be a secret. */
  readonly args: ReadonlyArray<Redacted.Redacted>;
  /** Milliseconds, 1 to 2147483647. Default 5000. */
  readonly timeoutMs: number;
  /** Milliseconds for which one output is used. Default 300000. 0: until a 401. */
  readonly refreshIntervalMs: number;
  /**
   * The folder that the command runs in. `loadConfig` makes it absolute: relative to the folder of the file that has the
   * key, never to the working directory, which may be an untrusted checkout.
   */
  readonly cwd?: string;
  /**
   * Variables for the command that neither this process nor the configuration sets: those of `$CODEX_HOME/.env`. Root runs
   * no command with the variables of a file that another user controls.
   */
  readonly dotEnv?: EnvFile;
  /** Names of variables that the command does not get, in addition to those that carry or select a credential. */
  readonly withheld?: ReadonlyArray<string>;
  /** The file that has this table; absent if it is not from a file. Root runs no command that another user names. */
  readonly configFile?: string;
}

/** The header or cookie that carries the token of a gateway. */
export type GatewayDelivery =
  | { readonly kind: "header"; readonly name: string; readonly scheme?: string }
  | { readonly kind: "cookie"; readonly name: string };

/** The sign-in to a company's gateway: `[model_providers.<id>.gateway_oauth]`. */
export type GatewayOauthConfig =
  | (GatewaySessionConfig & { readonly delivery: GatewayDelivery })
  /** A command prints the token (`credential_export`). */
  | {
      readonly _tag: "Command";
      readonly command: CommandTokenConfig;
      readonly delivery: GatewayDelivery;
    };

/** A public OAuth client of the gateway's authorization server. All URLs are https, or http to a loopback host. */
export interface GatewaySessionConfig {
  readonly _tag: "Session";
  readonly authorizationUrl: string;
  readonly tokenUrl: string;
  readonly deviceAuthorizationUrl?: string;
  readonly clientId: string;
  readonly scopes: ReadonlyArray<string>;
  /** RFC 8707. */
  readonly resource?: string;
  /** Port of the callback on 127.0.0.1. Default: any free one. */
  readonly redirectPort?: number;
  /** `keyring` is Codex's encrypted store, and its default. */
  readonly store: "file" | "keyring";
}

/** One `[model_providers.<id>]` table. */
export interface ModelProviderConfig {
  readonly name?: string;
  readonly baseUrl?: string;
  readonly envKey?: string;
  readonly envKeyInstructions?: string;
  readonly experimentalBearerToken?: Redacted.Redacted;
  /** Default false. */
  readonly requiresOpenaiAuth: boolean;
  readonly wireApi?: string;
  /** Values may be secrets. */
  readonly queryParams: Readonly<Record<string, Redacted.Redacted>>;
  /** Values may be secrets. */
  readonly httpHeaders: Readonly<Record<string, Redacted.Redacted>>;
  /** Names of variables by names of headers. */
  readonly envHttpHeaders: Readonly<Record<string, string>>;
  readonly requestMaxRetries?: number;
  /** Never together with `envKey`, `experimentalBearerToken` or `requiresOpenaiAuth`. */
  readonly auth?: CommandTokenConfig;
  readonly gatewayOauth?: GatewayOauthConfig;
}

/** The two ways of signing in that a rule distinguishes: `chatgpt` is everything but an API key. */
export type LoginMethodName = "chatgpt" | "api";

/**
 * A rule of an administrator about the credentials that may be used: of a system file, or of the policy of a workspace.
 * A credential that violates it is kept but not used.
 */
export type AdministratorRule =
  | {
      readonly _tag: "LoginMethods";
      readonly key: "allowed_login_methods" | "forced_login_method";
      /** The file's path, or the name of the policy. */
      readonly where: string;
      readonly allowed: ReadonlyArray<LoginMethodName>;
    }
  | {
      readonly _tag: "Workspaces";
      readonly key: "allowed_chatgpt_workspaces" | "forced_chatgpt_workspace_id";
      readonly where: string;
      /** None: no ChatGPT workspace is allowed. */
      readonly allowed: ReadonlyArray<string>;
    };

/** The table `[agent_auth.workload_identity]` (docs/keyless-ci.md). Codex does not read it. */
export interface WorkloadIdentityConfig {
  /** Selects the workload identity. Without it, the table only supplies settings for the variables of Codex. */
  readonly source?: IdentitySourceName;
  /** The audience that the identity token is issued for. */
  readonly audience?: string;
  /** Absolute path of a file with the identity token. */
  readonly tokenFile?: string;
  /** The variable that contains the identity token. */
  readonly tokenVariable?: string;
  /** `unix:///path` of a SPIFFE Workload API, or the URL of a metadata server. */
  readonly endpoint?: string;
  readonly spiffeId?: string;
  /** The client id of a user-assigned managed identity. */
  readonly clientId?: string;
  /** For a ChatGPT workspace. */
  readonly federationRuleId?: string;
  readonly context?: string;
  /** For an API project, together with `serviceAccountId`. */
  readonly identityProviderId?: string;
  readonly serviceAccountId?: string;
  /** The token endpoint, if it is not OpenAI's. https, or http to a loopback host. */
  readonly tokenUrl?: string;
  /** The files that the table comes from: their owners decide what is read and where it is sent. */
  readonly configFiles: ReadonlyArray<string>;
}

/**
 * A store that several hosts share: `AGENT_AUTH_STORE`, or `store` of the table `[agent_auth]`
 * (docs/many-hosts.md). Codex does not read it. `@agent-auth/login-sql` opens it.
 */
export interface SharedStoreConfig {
  /** `postgres://…` or `sqlite:/path`. It may contain a password. */
  readonly url: Redacted.Redacted;
  /** Where the keys are that it is encrypted with. */
  readonly keys?:
    | { readonly _tag: "File"; readonly path: string }
    /** The name of a variable that contains them. */
    | { readonly _tag: "Variable"; readonly name: string }
    /** A program that prints them, and its arguments. */
    | { readonly _tag: "Command"; readonly argv: readonly [string, ...ReadonlyArray<string>] };
  /** The files that these settings come from: their owners decide where credentials go and what is run. */
  readonly configFiles: ReadonlyArray<string>;
}

/** The configuration of all layers, with defaults filled in. */
export interface Config {
  /** White space and trailing slashes are trimmed. Default `https://chatgpt.com/backend-api`. */
  readonly chatgptBaseUrl: string;
  readonly openaiBaseUrl?: string;
  readonly forcedLoginMethod?: "chatgpt" | "api";
  /** At least one id if present; blank ones are dropped. */
  readonly forcedWorkspaceIds?: ReadonlyArray<string>;
  /** Default `file`. */
  readonly credentialsStore: CredentialsStoreMode;
  /** `features.secret_auth_storage`: Codex keeps the sign-in in its encrypted store. Default false. */
  readonly secretAuthStorage?: boolean;
  /** The id of the provider in use. */
  readonly modelProvider?: string;
  readonly modelProviders: ReadonlyMap<string, ModelProviderConfig>;
  /** The rules of system files. Default none. */
  readonly administratorRules?: ReadonlyArray<AdministratorRule>;
  /** `enforce_residency`: requests carry it, so that the backend processes them there. */
  readonly residency?: "us";
  /** The `requirements.toml` that fixes `chatgptBaseUrl`: workspace routing must not lead elsewhere. */
  readonly chatgptBaseUrlRequiredBy?: string;
  readonly workloadIdentity?: WorkloadIdentityConfig;
  /** Used instead of `credentialsStore`. */
  readonly sharedStore?: SharedStoreConfig;
  /** `agent_auth.backend_origins`: more origins that the backend may send a workspace's requests to. Default none. */
  readonly backendOrigins?: ReadonlyArray<string>;
}
