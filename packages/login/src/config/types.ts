import type * as Redacted from "effect/Redacted";
import type { CredentialsStoreMode } from "../storage/index.ts";

/** A command whose output is a provider's bearer token. */
export interface CommandTokenConfig {
  readonly command: string;
  /** Each may be a secret. */
  readonly args: ReadonlyArray<Redacted.Redacted>;
  /** Milliseconds, at most 2147483647; default 5000. */
  readonly timeoutMs: number;
  /** Milliseconds that one output serves; default 300000. 0: until a 401. */
  readonly refreshIntervalMs: number;
  readonly cwd?: string;
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
  /** Header name to variable name. */
  readonly envHttpHeaders: Readonly<Record<string, string>>;
  readonly requestMaxRetries?: number;
  readonly auth?: CommandTokenConfig;
}

/** What `config.toml` and the overrides say, with defaults filled in. */
export interface Config {
  /** White space and trailing slashes trimmed. Default `https://chatgpt.com/backend-api`. */
  readonly chatgptBaseUrl: string;
  readonly openaiBaseUrl?: string;
  readonly forcedLoginMethod?: "chatgpt" | "api";
  /** Not empty where present; blank entries are dropped. */
  readonly forcedWorkspaceIds?: ReadonlyArray<string>;
  /** Default `file`. */
  readonly credentialsStore: CredentialsStoreMode;
  /** The id of the provider to use. */
  readonly modelProvider?: string;
  readonly modelProviders: ReadonlyMap<string, ModelProviderConfig>;
}

export const defaultChatgptBaseUrl = "https://chatgpt.com/backend-api";
