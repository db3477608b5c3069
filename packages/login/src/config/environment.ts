import { join, resolve } from "node:path";
import * as Redacted from "effect/Redacted";
import { type CodexHome, findCodexHome } from "./codex-home.ts";
import { type DotEnv, readDotEnv } from "./dot-env.ts";
import type { ManagedPreferences } from "./managed-preferences.ts";
import type { EnvFile } from "./types.ts";
import { compact } from "../internal/compact.ts";
import type { Config } from "./types.ts";
import { selectingVariables, workloadIdentityTable } from "./workload-identity.ts";

export { hasWorkloadIdentity } from "./workload-identity.ts";

export type { CodexHome } from "./codex-home.ts";

/** A file of additional root certificates, and the variable that names it. */
export interface CaBundle {
  readonly variable: "CODEX_CA_CERTIFICATE" | "SSL_CERT_FILE";
  readonly path: string;
}

/** A proxy's URL, which may contain a password, and the variable that it comes from. */
export interface ProxySetting {
  /** As it is spelled in the environment: `https_proxy`, `ALL_PROXY`, … */
  readonly variable: string;
  readonly url: Redacted.Redacted;
}

/** The settings of one process, read once from its environment. A property is absent if its variable is unset or blank. */
export interface LoginEnvironment {
  readonly codexHome: CodexHome;
  /** The folder of an administrator's files. Default: that of the platform, such as `/etc/codex`. */
  readonly systemFolder?: string;
  /** What device management forces. Default: that of macOS. */
  readonly managedPreferences?: ManagedPreferences;
  /** `CODEX_API_KEY` */
  readonly apiKey?: Redacted.Redacted;
  /** `CODEX_AGENT_IDENTITY`: an agent identity JWT. */
  readonly agentIdentity?: Redacted.Redacted;
  /** `CODEX_ACCESS_TOKEN`: an agent identity JWT or a personal access token. */
  readonly accessToken?: Redacted.Redacted;
  /** The variables of a workload identity, not validated; present if one of them selects it. */
  readonly workloadIdentity?: WorkloadIdentityVariables;
  /** `AGENT_AUTH_CONFIG`: TOML that `loadConfig` applies over `config.toml`. It may contain secrets. */
  readonly configToml?: Redacted.Redacted;
  /** The variables of a shared store, which `loadConfig` applies over `config.toml`. Present if one of them is set. */
  readonly sharedStore?: SharedStoreVariables;
  /** `CODEX_REFRESH_TOKEN_URL_OVERRIDE` */
  readonly refreshTokenUrl?: string;
  /** `CODEX_REVOKE_TOKEN_URL_OVERRIDE` */
  readonly revokeTokenUrl?: string;
  /** `CODEX_AUTHAPI_BASE_URL` */
  readonly authApiBaseUrl?: string;
  /** `CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL` */
  readonly agentIdentityAuthApiBaseUrl?: string;
  /** `CODEX_AGENT_IDENTITY_JWKS_BASE_URL` */
  readonly agentIdentityJwksBaseUrl?: string;
  /** `CODEX_CA_CERTIFICATE`, else `SSL_CERT_FILE`. */
  readonly caBundle?: CaBundle;
  /** `HTTPS_PROXY`. Loopback hosts are never reached through a proxy. */
  readonly httpsProxy?: ProxySetting;
  /** `HTTP_PROXY` */
  readonly httpProxy?: ProxySetting;
  /** `ALL_PROXY`: used if the variable of the scheme is not set. */
  readonly allProxy?: ProxySetting;
  /** `NO_PROXY`: hosts that are reached without a proxy, separated by commas. */
  readonly noProxy?: string;
  /** `CODEX_INTERNAL_ORIGINATOR_OVERRIDE` */
  readonly originator?: string;
  /** Returns any other variable by name, such as a provider's `env_key`, trimmed. The value may be a secret. */
  readonly variable: (name: string) => Redacted.Redacted | undefined;
  /** The variables that `$CODEX_HOME/.env` sets and the process does not. Absent if there are none. */
  readonly dotEnv?: EnvFile;
  /** Why `$CODEX_HOME/.env` could not be read. `loadConfig` fails with it. */
  readonly dotEnvProblem?: { readonly path: string; readonly reason: string };
}

/** `AGENT_AUTH_STORE` and the variables of its keys. */
export interface SharedStoreVariables {
  /** `AGENT_AUTH_STORE`. It may contain a password. */
  readonly url?: Redacted.Redacted;
  /** `AGENT_AUTH_STORE_KEY_FILE` */
  readonly keyFile?: string;
  /** Whether `AGENT_AUTH_STORE_KEY` is set, which contains keys. */
  readonly hasKeys: boolean;
}

const workloadVariables = [
  ...selectingVariables,
  "OPENAI_SPIFFE_AUDIENCE",
  "OPENAI_SPIFFE_ID",
  "OPENAI_WORKLOAD_IDENTITY_CONTEXT",
  "SPIFFE_ENDPOINT_SOCKET",
] as const;

/**
 * The variables that carry or select a credential. A child process gets none of them, unless it is meant to use the same
 * credential. `SPIFFE_ENDPOINT_SOCKET` is not among them: other programs use it as well.
 */
export const credentialVariables: ReadonlyArray<string> = [
  "CODEX_API_KEY",
  "CODEX_AGENT_IDENTITY",
  "CODEX_ACCESS_TOKEN",
  "AGENT_AUTH_STORE",
  "AGENT_AUTH_STORE_KEY",
  "AGENT_AUTH_STORE_KEY_FILE",
  ...workloadVariables.filter((name) => name.startsWith("OPENAI_")),
];

/**
 * What a helper program, such as a browser or a token command, does not get: the variables that carry or select a
 * credential, and `AGENT_AUTH_CONFIG`, which may contain secrets and could make the helper start itself.
 */
export const privateVariables: ReadonlyArray<string> = [
  ...credentialVariables,
  "AGENT_AUTH_CONFIG",
];

/**
 * Returns the variables that a child process gets: those of this process without the withheld ones, whose names are
 * compared in any case, as Windows does. By default the private ones are withheld.
 *
 * @example
 * ```ts
 * import { withoutVariables } from "@agent-auth/login/config/environment";
 *
 * withoutVariables({ PATH: "/bin", CODEX_API_KEY: "sk-1" }); // { PATH: "/bin" }
 * ```
 */
export const withoutVariables = (
  own: Variables,
  withheld: ReadonlyArray<string> = privateVariables,
): Record<string, string | undefined> => {
  const names = new Set(withheld.map((name) => name.toUpperCase()));
  return Object.fromEntries(Object.entries(own).filter(([name]) => !names.has(name.toUpperCase())));
};

/** The variables of Codex's workload identity (docs/keyless-ci.md). An empty value is not the same as none. */
export type WorkloadIdentityVariables = Readonly<
  Partial<Record<(typeof workloadVariables)[number], Redacted.Redacted>>
>;

/** The variables of one process, such as `process.env`. */
export type Variables = Readonly<Record<string, string | undefined>>;

export interface EnvironmentOptions {
  /** The user's home folder. Default: `HOME` (Windows: `USERPROFILE`), else the account database. */
  readonly homeDir?: string;
  /**
   * The folder of an administrator's files, for tests: no variable can move it. Default: as in Codex, such as
   * `/etc/codex`.
   */
  readonly systemFolder?: string;
  /** What device management of macOS forces, for tests: no variable can move it. */
  readonly managedPreferences?: ManagedPreferences;
  /** Default `process.platform`. On `win32` the names of variables are not case-sensitive. */
  readonly platform?: NodeJS.Platform;
}

/**
 * Reads the variables of this project and `$CODEX_HOME/.env`. As in Codex, that file supplies variables that are unset
 * or blank and whose names do not start with `CODEX_`, such as proxies and a provider's `env_key`. A relative
 * `SSL_CERT_FILE` in it is relative to CODEX_HOME. `variables` itself is not changed, and nothing is thrown.
 *
 * @example
 * ```ts
 * import { loadEnvironment } from "@agent-auth/login/config/environment";
 *
 * const environment = loadEnvironment({ CODEX_HOME: "/srv/codex", CODEX_API_KEY: "sk-example" });
 * console.log(environment.codexHome.path, environment.apiKey); // /srv/codex <redacted:CODEX_API_KEY>
 * ```
 */
export const loadEnvironment = (
  variables: Variables,
  options: EnvironmentOptions = {},
): LoginEnvironment => {
  const { platform = process.platform } = options;
  const own = lookUpAs(platform, variables);
  const codexHome = codexHomeOf(own, options);
  const { problem, variables: inFile } = readDotEnv(codexHome, own);
  const dotEnv = { variables: lookUpAs(platform, inFile), ...compact({ problem }) };
  return { ...parse(own, { codexHome, dotEnv, platform }), ...systemFolderOf(options) };
};

/**
 * Reads the variables of this project without reading any file: as `loadEnvironment`, but without `$CODEX_HOME/.env`.
 * Values are trimmed, secrets are `Redacted`, and nothing is validated: neither that a folder exists nor that a URL is
 * one. A user name or password in a URL becomes `***`, because no request is ever sent to such a URL.
 *
 * @example
 * ```ts
 * import { parseEnvironment } from "@agent-auth/login/config/environment";
 *
 * const environment = parseEnvironment({ HOME: "/home/ada", ALL_PROXY: "http://proxy.example:3128" });
 * console.log(environment.codexHome.path); // /home/ada/.codex
 * console.log(environment.allProxy?.variable); // ALL_PROXY
 * ```
 */
export const parseEnvironment = (
  variables: Variables,
  options: EnvironmentOptions = {},
): LoginEnvironment => {
  const { platform = process.platform } = options;
  const own = lookUpAs(platform, variables);
  const codexHome = codexHomeOf(own, options);
  return {
    ...parse(own, { codexHome, dotEnv: { variables: {} }, platform }),
    ...systemFolderOf(options),
  };
};

/**
 * Looks names up as the platform does. On Windows, `process.env` ignores case, but a copy of it does not, and a `.env` file
 * neither.
 */
const lookUpAs = (platform: NodeJS.Platform, variables: Variables): Variables =>
  platform === "win32"
    ? new Proxy(variables, { get: (own, name) => own[spelledIn(own, String(name))] })
    : variables;

/** The name as the environment spells it, if it differs by case only. Of two such names, the last one counts. */
const spelledIn = (variables: Variables, name: string): string =>
  Object.keys(variables).findLast((one) => one.toUpperCase() === name.toUpperCase()) ?? name;

const systemFolderOf = ({ managedPreferences, systemFolder }: EnvironmentOptions) =>
  compact({ managedPreferences, systemFolder });

/**
 * Returns the name of the variable that provides the credential instead of any store, or `undefined` if none does.
 * `CODEX_API_KEY` and `CODEX_AGENT_IDENTITY` count only with `environmentCredentials` (docs/protocol.md §4). If `config`
 * is given, its workload identity counts as well.
 *
 * @example
 * ```ts
 * import { overridingEnvVar, parseEnvironment } from "@agent-auth/login/config/environment";
 *
 * const environment = parseEnvironment({ CODEX_HOME: "/srv/codex", CODEX_API_KEY: "sk-example" });
 * console.log(overridingEnvVar(environment, { environmentCredentials: true })); // CODEX_API_KEY
 * console.log(overridingEnvVar(environment, { environmentCredentials: false })); // undefined
 * ```
 */
export const overridingEnvVar = (
  environment: Pick<
    LoginEnvironment,
    "apiKey" | "agentIdentity" | "accessToken" | "workloadIdentity"
  >,
  options: {
    readonly environmentCredentials: boolean;
    readonly config?: Pick<Config, "workloadIdentity">;
  },
): OverridingSetting | undefined => {
  const { workloadIdentity } = environment;
  if (workloadIdentity !== undefined)
    return selectingVariables.find((name) => workloadIdentity[name] !== undefined);
  if (options.config?.workloadIdentity?.source !== undefined) return workloadIdentityTable;
  if (options.environmentCredentials) {
    if (environment.apiKey !== undefined) return "CODEX_API_KEY";
    if (environment.agentIdentity !== undefined) return "CODEX_AGENT_IDENTITY";
  }
  return environment.accessToken === undefined ? undefined : "CODEX_ACCESS_TOKEN";
};

/** What provides the credential instead of any store: a variable, or a table of `config.toml`. */
export type OverridingSetting =
  | "CODEX_API_KEY"
  | "CODEX_AGENT_IDENTITY"
  | "CODEX_ACCESS_TOKEN"
  | (typeof selectingVariables)[number]
  | typeof workloadIdentityTable;

const codexHomeOf = (
  variables: Variables,
  { homeDir, platform = process.platform }: EnvironmentOptions,
): CodexHome =>
  findCodexHome({
    codexHome: filled(variables["CODEX_HOME"]),
    home: homeDir ?? filled(variables[platform === "win32" ? "USERPROFILE" : "HOME"]),
  });

/** The trimmed value of a variable; `undefined` if it is blank, or an inherited member of the object. */
const filled = (value: unknown): string | undefined => {
  const text = typeof value === "string" ? value.trim() : "";
  return text === "" ? undefined : text;
};

interface Found {
  readonly codexHome: CodexHome;
  readonly dotEnv: DotEnv;
  readonly platform: NodeJS.Platform;
}

const parse = (variables: Variables, { codexHome, dotEnv, platform }: Found): LoginEnvironment => {
  const text = (name: string): string | undefined =>
    filled(variables[name]) ?? filled(dotEnv.variables[name]);
  const url = (name: string): string | undefined => text(name)?.replace(userInfo, "$1***@");
  const secret = (name: string): Redacted.Redacted | undefined => redact(name, text(name));
  /** The first of several variables that is set. Those of the process come before those of the file. */
  const proxy = (...names: ReadonlyArray<string>): ProxySetting | undefined => {
    for (const from of [variables, dotEnv.variables])
      for (const name of names) {
        const text = filled(from[name]);
        if (text === undefined) continue;
        const variable = platform === "win32" ? spelledIn(from, name) : name;
        return { variable, url: Redacted.make(text, { label: variable }) };
      }
    return undefined;
  };
  return {
    codexHome,
    variable: secret,
    ...compact({
      apiKey: secret("CODEX_API_KEY"),
      agentIdentity: secret("CODEX_AGENT_IDENTITY"),
      accessToken: secret("CODEX_ACCESS_TOKEN"),
      workloadIdentity: readWorkloadIdentity((name) => variables[name] ?? dotEnv.variables[name]),
      // Not trimmed, so that errors have the right line numbers.
      configToml:
        filled(variables["AGENT_AUTH_CONFIG"]) === undefined
          ? undefined
          : redact("AGENT_AUTH_CONFIG", variables["AGENT_AUTH_CONFIG"]),
      sharedStore: readSharedStore(variables),
      refreshTokenUrl: url("CODEX_REFRESH_TOKEN_URL_OVERRIDE"),
      revokeTokenUrl: url("CODEX_REVOKE_TOKEN_URL_OVERRIDE"),
      authApiBaseUrl: url("CODEX_AUTHAPI_BASE_URL"),
      agentIdentityAuthApiBaseUrl: url("CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL"),
      agentIdentityJwksBaseUrl: url("CODEX_AGENT_IDENTITY_JWKS_BASE_URL"),
      caBundle: caBundle(variables) ?? caBundle(dotEnv.variables, codexHome.path),
      // Lower case first, as in curl.
      httpsProxy: proxy("https_proxy", "HTTPS_PROXY"),
      httpProxy: proxy("http_proxy", "HTTP_PROXY"),
      allProxy: proxy("all_proxy", "ALL_PROXY"),
      noProxy: text("no_proxy") ?? text("NO_PROXY"),
      originator: text("CODEX_INTERNAL_ORIGINATOR_OVERRIDE"),
      dotEnv: envFile(variables, codexHome, dotEnv),
      dotEnvProblem: dotEnv.problem,
    }),
  };
};

/** Read from the process only: `$CODEX_HOME/.env` must not decide where a program stores its credentials. */
const readSharedStore = (variables: Variables): SharedStoreVariables | undefined => {
  const url = redact("AGENT_AUTH_STORE", filled(variables["AGENT_AUTH_STORE"]));
  const keyFile = filled(variables["AGENT_AUTH_STORE_KEY_FILE"]);
  const hasKeys = filled(variables["AGENT_AUTH_STORE_KEY"]) !== undefined;
  if (url === undefined && keyFile === undefined && !hasKeys) return undefined;
  return { hasKeys, ...compact({ url, keyFile }) };
};

const readWorkloadIdentity = (
  valueOf: (name: string) => unknown,
): WorkloadIdentityVariables | undefined => {
  const isSet = (name: string): boolean => typeof valueOf(name) === "string";
  if (!selectingVariables.some(isSet)) return undefined;
  return Object.fromEntries(
    workloadVariables
      .filter(isSet)
      .map((name) => [name, Redacted.make(String(valueOf(name)), { label: name })]),
  );
};

const envFile = (
  variables: Variables,
  codexHome: CodexHome,
  dotEnv: DotEnv,
): EnvFile | undefined => {
  const unset = Object.entries(dotEnv.variables).flatMap(([name, value]) =>
    value === undefined || filled(variables[name]) !== undefined
      ? []
      : [[name, Redacted.make(value, { label: name })] as const],
  );
  if (unset.length === 0) return undefined;
  return { path: join(codexHome.path, ".env"), variables: Object.fromEntries(unset) };
};

/** The user name and password before the `@` of a URL, with or without slashes, as the URL standard reads it. */
const userInfo = /^((?:[a-z][a-z\d+.-]*:)?[/\\]*)[^/\\?#]*@/i;

const redact = (label: string, value: string | undefined): Redacted.Redacted | undefined =>
  value === undefined ? undefined : Redacted.make(value, { label });

/** A relative path in a file is relative to the folder of that file. */
const caBundle = (variables: Variables, folder?: string): CaBundle | undefined => {
  for (const variable of ["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"] as const) {
    const path = filled(variables[variable]);
    if (path !== undefined)
      return { variable, path: folder === undefined ? path : resolve(folder, path) };
  }
  return undefined;
};
