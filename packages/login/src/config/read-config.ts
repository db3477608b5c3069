import { defaultChatgptBaseUrl, isHttpsOrLoopback } from "@agent-auth/agent-identity/urls";
import { isAbsolute, resolve } from "node:path";
import { maxTimerMs } from "@agent-auth/agent-identity/http/timeouts";
import * as Redacted from "effect/Redacted";
import { readGatewayOauth, refuseHeaderConflict } from "./gateway-oauth.ts";
import { type OriginOf, TableReader } from "./table-reader.ts";
import type { TomlTable } from "./toml.ts";
import { identitySourceNames } from "../credential/index.ts";
import {
  type CommandTokenConfig,
  type Config,
  type ModelProviderConfig,
  type SharedStoreConfig,
  type WorkloadIdentityConfig,
} from "./types.ts";
import { consumedVariables } from "./consumed-variables.ts";
import { compact } from "../internal/compact.ts";
import type { CredentialsStoreMode } from "../storage/index.ts";

/** Returns the typed form of a configuration. Keys that this project does not use are ignored. */
export const readConfig = (table: TomlTable, originOf: OriginOf): Config => {
  const reader = new TableReader(table, originOf);
  refuseProfile(reader);
  const workloadIdentity = readWorkloadIdentity(
    reader.tableAt("agent_auth")?.tableAt("workload_identity"),
  );
  const withheld =
    workloadIdentity?.source === undefined
      ? []
      : consumedVariables(workloadIdentity.source, workloadIdentity);
  return {
    chatgptBaseUrl: readBaseUrl(reader, "chatgpt_base_url") ?? defaultChatgptBaseUrl,
    credentialsStore: reader.oneOf("cli_auth_credentials_store", storeModes) ?? "file",
    modelProviders: readProviders(reader.tableAt("model_providers"), withheld),
    ...compact({
      openaiBaseUrl: readBaseUrl(reader, "openai_base_url"),
      forcedLoginMethod: reader.oneOf("forced_login_method", ["chatgpt", "api"]),
      forcedWorkspaceIds: readWorkspaceIds(reader),
      modelProvider: reader.nonBlankString("model_provider"),
      backendOrigins: readBackendOrigins(reader.tableAt("agent_auth")),
      secretAuthStorage: reader.tableAt("features")?.boolean("secret_auth_storage"),
      sharedStore: readSharedStore(reader.tableAt("agent_auth")),
      workloadIdentity,
    }),
  };
};

const storeModes: ReadonlyArray<CredentialsStoreMode> = ["file", "keyring", "auto", "ephemeral"];

/** The text is Codex's. */
const refuseProfile = (reader: TableReader): void => {
  const name = reader.string("profile");
  if (name !== undefined)
    reader.fail(
      "profile",
      `legacy \`profile = "${name}"\` config is no longer supported; use \`--profile ${name}\` with \`${name}.config.toml\` instead`,
    );
};

const readBaseUrl = (reader: TableReader, key: string): string | undefined => {
  const text = reader.nonBlankString(key)?.replace(/\/+$/, "");
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (url?.protocol !== "https:" && url?.protocol !== "http:")
    return reader.mustBe(key, "an http or https URL");
  return withoutUserInfo(reader, key, text);
};

/** A URL with a password is an error: messages show URLs, and no request is sent with a password in its URL. */
const withoutUserInfo = (reader: TableReader, key: string, text: string): string => {
  const url = URL.parse(text);
  const isPlain = url === null || (url.username === "" && url.password === "");
  return isPlain ? text : reader.mustBe(key, "a URL without user name and password");
};

const readBackendOrigins = (reader: TableReader | undefined): ReadonlyArray<string> | undefined => {
  const key = "backend_origins";
  return reader?.strings(key)?.map((text) => {
    const url = URL.parse(text);
    return url !== null && isHttpsOrLoopback(url) && `${url.origin}/` === url.href
      ? url.origin
      : reader.mustBe(key, 'a list of https origins, such as ["https://eu.example.com"]');
  });
};

const workspaceKey = "forced_chatgpt_workspace_id";

/** One id or a list of ids. Blank ids restrict nothing; several ids in one string are an error that shows a list. */
const readWorkspaceIds = (reader: TableReader): ReadonlyArray<string> | undefined => {
  const ids = reader
    .stringOrStrings(workspaceKey)
    .map((id) => id.trim())
    .filter((id) => id !== "");
  if (ids.some((id) => id.includes(",")))
    reader.mustBe(workspaceKey, 'a list with one workspace id each, such as ["ws-1", "ws-2"]');
  return ids.length === 0 ? undefined : ids;
};

const readProviders = (
  providers: TableReader | undefined,
  withheld: ReadonlyArray<string>,
): ReadonlyMap<string, ModelProviderConfig> => {
  const read = new Map<string, ModelProviderConfig>();
  for (const id of providers?.keys ?? []) {
    const provider = providers?.tableAt(id);
    if (provider !== undefined) read.set(id, readProvider(provider, withheld));
  }
  return read;
};

const readProvider = (
  reader: TableReader,
  withheld: ReadonlyArray<string>,
): ModelProviderConfig => {
  const readToken = (table: TableReader | undefined) => readCommand(table, withheld);
  const token = reader.nonBlankString("experimental_bearer_token");
  const baseUrl = reader.nonBlankString("base_url");
  const config: ModelProviderConfig = {
    requiresOpenaiAuth: reader.boolean("requires_openai_auth") ?? false,
    queryParams: secretTable(reader.stringTable("query_params")),
    httpHeaders: secretTable(reader.stringTable("http_headers")),
    envHttpHeaders: reader.stringTable("env_http_headers"),
    ...compact({
      name: reader.nonBlankString("name"),
      baseUrl: baseUrl === undefined ? undefined : withoutUserInfo(reader, "base_url", baseUrl),
      envKey: reader.nonBlankString("env_key"),
      envKeyInstructions: reader.nonBlankString("env_key_instructions"),
      experimentalBearerToken:
        token === undefined
          ? undefined
          : Redacted.make(token, { label: "experimental_bearer_token" }),
      wireApi: reader.nonBlankString("wire_api"),
      requestMaxRetries: reader.count("request_max_retries"),
      auth: readToken(reader.tableAt("auth")),
      gatewayOauth: readGatewayOauth(reader, readToken),
    }),
  };
  if (config.wireApi === "chat")
    reader.fail("wire_api", '`wire_api = "chat"` is no longer supported; use "responses"');
  refuseSecondCredential(reader, config);
  const { auth, envKey, envHttpHeaders, experimentalBearerToken, gatewayOauth, httpHeaders } =
    config;
  refuseHeaderConflict(reader, {
    ...compact({ gatewayOauth }),
    hasOwnCredential:
      config.requiresOpenaiAuth ||
      [auth, envKey, experimentalBearerToken].some((one) => one !== undefined),
    headers: [...Object.keys(httpHeaders), ...Object.keys(envHttpHeaders)],
  });
  return config;
};

/** The text is Codex's. */
const refuseSecondCredential = (reader: TableReader, config: ModelProviderConfig): void => {
  if (config.auth === undefined) return;
  const others = [
    ...(config.envKey === undefined ? [] : ["env_key"]),
    ...(config.experimentalBearerToken === undefined ? [] : ["experimental_bearer_token"]),
    ...(config.requiresOpenaiAuth ? ["requires_openai_auth"] : []),
  ];
  if (others.length > 0)
    reader.fail(
      "auth",
      `${reader.path.join(".")}: provider auth cannot be combined with ${others.join(", ")}`,
    );
};

const secretTable = (
  table: Readonly<Record<string, string>>,
): Readonly<Record<string, Redacted.Redacted>> =>
  Object.fromEntries(
    Object.entries(table).map(([name, value]) => [name, Redacted.make(value, { label: name })]),
  );

const readCommand = (
  reader: TableReader | undefined,
  withheld: ReadonlyArray<string>,
): CommandTokenConfig | undefined => {
  if (reader === undefined) return undefined;
  const timeoutMs = reader.count("timeout_ms") ?? 5_000;
  if (timeoutMs === 0 || timeoutMs > maxTimerMs)
    reader.mustBe("timeout_ms", `a whole number of milliseconds, 1 to ${maxTimerMs}`);
  return {
    command: reader.nonBlankString("command") ?? reader.mustBe("command", "the name of a program"),
    args: (reader.strings("args") ?? []).map((arg) => Redacted.make(arg, { label: "args" })),
    timeoutMs,
    refreshIntervalMs: reader.count("refresh_interval_ms") ?? 300_000,
    cwd: readFolder(reader),
    ...(withheld.length > 0 && { withheld }),
    ...compact({ configFile: reader.fileOf(["command", "args", "cwd"]) }),
  };
};

/** Without `cwd`, the folder of the file that has `command`: its arguments may be relative paths as well. */
const readFolder = (reader: TableReader): string => {
  const cwd = reader.nonBlankString("cwd");
  const { folder = "" } = reader.originOf(cwd === undefined ? "command" : "cwd");
  try {
    return resolve(folder, cwd ?? "");
  } catch {
    return reader.mustBe("cwd", "an absolute path, because the working directory does not exist");
  }
};

/**
 * Returns the absolute path of a file; `undefined` if the key is missing. A relative path is resolved against the folder
 * of the layer that has the key, or against the working directory for `-c`.
 */
const readPath = (reader: TableReader, key: string): string | undefined => {
  const path = reader.nonBlankString(key);
  if (path === undefined) return undefined;
  try {
    return resolve(reader.originOf(key).folder ?? "", path);
  } catch {
    return reader.mustBe(key, "an absolute path, because the working directory does not exist");
  }
};

const storeUrl = /^(?:postgres(?:ql)?:\/\/|sqlite:)/;
const keySources = ["store_key_file", "store_key_env", "store_key_command"] as const;

const readSharedStore = (reader: TableReader | undefined): SharedStoreConfig | undefined => {
  const key = "store";
  const url = reader?.nonBlankString(key);
  if (reader === undefined || url === undefined || url === "none") return undefined;
  if (!storeUrl.test(url))
    reader.mustBe(key, "a URL such as postgres://user@host/database or sqlite:/path, or none");
  const { file, folder } = reader.originOf(key);
  const isOnCommandLine = file === undefined && folder === undefined;
  if (isOnCommandLine && (URL.parse(url)?.password ?? "") !== "")
    reader.mustBe(
      key,
      "a URL without a password on a command line, which others can read; use AGENT_AUTH_STORE",
    );
  const [given, other] = keySources.filter((source) => reader.keys.includes(source));
  if (other !== undefined)
    reader.fail(other, `agent_auth.${other} cannot be combined with ${given}`);
  return {
    url: Redacted.make(url, { label: "store" }),
    configFiles: reader.filesOf([key, ...keySources]),
    ...compact({ keys: readStoreKeys(reader) }),
  };
};

const readStoreKeys = (reader: TableReader): SharedStoreConfig["keys"] => {
  const path = readPath(reader, "store_key_file");
  if (path !== undefined) return { _tag: "File", path };
  const name = reader.nonBlankString("store_key_env");
  if (name !== undefined) return { _tag: "Variable", name };
  const [program, ...args] = reader.strings("store_key_command") ?? [];
  if (program === undefined) return undefined;
  if (/[\\/]/.test(program) && !isAbsolute(program))
    reader.mustBe(
      "store_key_command",
      "a list that starts with an absolute path or a program's name",
    );
  return { _tag: "Command", argv: [program, ...args] };
};

/**
 * The requirements of the source and the target are checked when the identity is used, because environment variables
 * may select another source or target.
 */
const readWorkloadIdentity = (
  reader: TableReader | undefined,
): WorkloadIdentityConfig | undefined => {
  const source = reader?.oneOf("source", [...identitySourceNames, "none"]);
  if (reader === undefined || source === "none") return undefined;
  const config = compact({
    source,
    audience: reader.nonBlankString("audience"),
    tokenFile: readPath(reader, "token_file"),
    tokenVariable: reader.nonBlankString("token_variable"),
    endpoint: reader.nonBlankString("endpoint"),
    spiffeId: reader.nonBlankString("spiffe_id"),
    clientId: reader.nonBlankString("client_id"),
    federationRuleId: reader.nonBlankString("federation_rule_id"),
    context: reader.string("context"),
    identityProviderId: reader.nonBlankString("identity_provider_id"),
    serviceAccountId: reader.nonBlankString("service_account_id"),
    tokenUrl: readBaseUrl(reader, "token_url"),
    configFiles: reader.filesOf(reader.keys),
  });
  if (config.source === undefined && reader.keys.some((key) => key !== "token_url"))
    return reader.mustBe("source", `set: one of ${identitySourceNames.join(", ")}`);
  return config;
};
