import * as Redacted from "effect/Redacted";
import type { CredentialsStoreMode } from "../storage/index.ts";
import type { TableReader } from "./table-reader.ts";
import type { CommandTokenConfig, Config, ModelProviderConfig } from "./types.ts";
import { defaultChatgptBaseUrl } from "./types.ts";

const storeModes: ReadonlyArray<CredentialsStoreMode> = ["file", "keyring", "auto", "ephemeral"];

type Draft<T> = { -readonly [K in keyof T]: T[K] };

const put = <T, K extends keyof T>(draft: T, key: K, value: T[K] | undefined): void => {
  if (value !== undefined) draft[key] = value;
};

/** The typed form of a whole configuration. Throws `WrongKey`. */
export const readConfig = (reader: TableReader): Config => {
  const config: Draft<Config> = {
    chatgptBaseUrl: readBaseUrl(reader, "chatgpt_base_url") ?? defaultChatgptBaseUrl,
    credentialsStore: reader.oneOf("cli_auth_credentials_store", storeModes) ?? "file",
    modelProviders: readProviders(reader.inner("model_providers")),
  };
  put(config, "openaiBaseUrl", readBaseUrl(reader, "openai_base_url"));
  put(config, "forcedLoginMethod", reader.oneOf("forced_login_method", ["chatgpt", "api"]));
  put(config, "forcedWorkspaceIds", readWorkspaceIds(reader));
  put(config, "modelProvider", reader.filledText("model_provider"));
  return config;
};

const readBaseUrl = (reader: TableReader, key: string): string | undefined => {
  const text = reader.filledText(key)?.replace(/\/+$/, "");
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (url?.protocol !== "https:" && url?.protocol !== "http:")
    return reader.fail(key, "an http or https URL");
  return withoutUserInfo(reader, key, text);
};

/** A password in a URL would be shown wherever the URL is, and no request is sent with one. */
const withoutUserInfo = (reader: TableReader, key: string, text: string): string => {
  const url = URL.parse(text);
  const isPlain = url === null || (url.username === "" && url.password === "");
  return isPlain ? text : reader.fail(key, "a URL without user name and password");
};

const workspaceKey = "forced_chatgpt_workspace_id";

/** One id or a list of them. Blank ones restrict nothing; a list in one string is an error that shows the right form. */
const readWorkspaceIds = (reader: TableReader): ReadonlyArray<string> | undefined => {
  const ids = reader
    .textOrTexts(workspaceKey)
    .map((id) => id.trim())
    .filter((id) => id !== "");
  if (ids.some((id) => id.includes(",")))
    reader.fail(workspaceKey, 'a list with one workspace id each, such as ["ws-1", "ws-2"]');
  return ids.length === 0 ? undefined : ids;
};

const readProviders = (
  providers: TableReader | undefined,
): ReadonlyMap<string, ModelProviderConfig> => {
  const read = new Map<string, ModelProviderConfig>();
  for (const id of Object.keys(providers?.table ?? {})) {
    const provider = providers?.inner(id);
    if (provider !== undefined) read.set(id, readProvider(provider));
  }
  return read;
};

const readProvider = (reader: TableReader): ModelProviderConfig => {
  const config: Draft<ModelProviderConfig> = {
    requiresOpenaiAuth: reader.flag("requires_openai_auth") ?? false,
    queryParams: secretTable(reader.textTable("query_params")),
    httpHeaders: secretTable(reader.textTable("http_headers")),
    envHttpHeaders: reader.textTable("env_http_headers"),
  };
  const token = reader.filledText("experimental_bearer_token");
  put(config, "name", reader.filledText("name"));
  const baseUrl = reader.filledText("base_url");
  if (baseUrl !== undefined) config.baseUrl = withoutUserInfo(reader, "base_url", baseUrl);
  put(config, "envKey", reader.filledText("env_key"));
  put(config, "envKeyInstructions", reader.filledText("env_key_instructions"));
  put(config, "wireApi", reader.filledText("wire_api"));
  put(config, "requestMaxRetries", reader.count("request_max_retries"));
  put(config, "auth", readCommand(reader.inner("auth")));
  if (token !== undefined)
    config.experimentalBearerToken = Redacted.make(token, { label: "experimental_bearer_token" });
  return config;
};

const secretTable = (
  table: Readonly<Record<string, string>>,
): Readonly<Record<string, Redacted.Redacted>> =>
  Object.fromEntries(
    Object.entries(table).map(([name, value]) => [name, Redacted.make(value, { label: name })]),
  );

/** A timer of more milliseconds fires at once. */
const longestTimerMs = 2_147_483_647;

const readCommand = (reader: TableReader | undefined): CommandTokenConfig | undefined => {
  if (reader === undefined) return undefined;
  const config: Draft<CommandTokenConfig> = {
    command: reader.filledText("command") ?? reader.fail("command", "the name of a program"),
    args: (reader.texts("args") ?? []).map((arg) => Redacted.make(arg, { label: "args" })),
    timeoutMs: reader.count("timeout_ms") ?? 5_000,
    refreshIntervalMs: reader.count("refresh_interval_ms") ?? 300_000,
  };
  if (config.timeoutMs === 0 || config.timeoutMs > longestTimerMs)
    reader.fail("timeout_ms", `a whole number of milliseconds, 1 to ${longestTimerMs}`);
  put(config, "cwd", reader.filledText("cwd"));
  return config;
};
