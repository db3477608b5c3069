import { join, resolve } from "node:path";
import * as Redacted from "effect/Redacted";

/** The folder of `auth.json` and `config.toml`. */
export interface CodexHome {
  /** Absolute; not resolved through links, not known to exist. */
  readonly path: string;
  /** Whether `CODEX_HOME` names it. Such a folder has to exist; the default one is created when needed. */
  readonly explicit: boolean;
}

/** A file of extra root certificates, and the variable that names it. */
export interface CaBundle {
  readonly variable: "CODEX_CA_CERTIFICATE" | "SSL_CERT_FILE";
  readonly path: string;
}

/** A proxy's URL may hold a password. */
export interface ProxySetting {
  readonly variable: string;
  readonly url: Redacted.Redacted;
}

/** What a process was told by its environment, read once at a front door. Absent means unset, empty or blank. */
export interface LoginEnvironment {
  readonly codexHome: CodexHome;
  /** `CODEX_API_KEY` */
  readonly apiKey?: Redacted.Redacted;
  /** `CODEX_AGENT_IDENTITY`: an agent identity JWT. */
  readonly agentIdentity?: Redacted.Redacted;
  /** `CODEX_ACCESS_TOKEN`: an agent identity JWT or a personal access token. */
  readonly accessToken?: Redacted.Redacted;
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
  /** `HTTPS_PROXY`. No proxy is used for a loopback host. */
  readonly httpsProxy?: ProxySetting;
  /** `HTTP_PROXY` */
  readonly httpProxy?: ProxySetting;
  /** `ALL_PROXY`: used where the variable of the scheme is unset. */
  readonly allProxy?: ProxySetting;
  /** Hosts that need no proxy, comma-separated as in the variable. */
  readonly noProxy?: string;
  /** `CODEX_INTERNAL_ORIGINATOR_OVERRIDE` */
  readonly originator?: string;
  /** Any other variable by name (a provider's `env_key`), trimmed; absent as above. It may be a secret. */
  readonly variable: (name: string) => Redacted.Redacted | undefined;
}

/** Variables of one process. `process.env` is one. */
export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Reads every variable that this project knows. Nothing else of the project reads them. Values are trimmed, secrets
 * are `Redacted`, nothing is checked: neither that a folder exists nor that a URL is one. A user name or password in a
 * URL becomes `***`: no request is ever sent to such a URL, so the secret in it is not kept either.
 */
export const parseEnvironment = (
  env: Variables,
  options: { readonly homeDir: string },
): LoginEnvironment => {
  const text = (name: string): string | undefined => {
    const value = env[name]?.trim();
    return value === "" ? undefined : value;
  };
  const url = (name: string): string | undefined => text(name)?.replace(userInfo, "$1***@");
  const secret = (name: string): Redacted.Redacted | undefined => {
    const value = text(name);
    return value === undefined ? undefined : Redacted.make(value, { label: name });
  };
  const home = text("CODEX_HOME");
  const draft: Draft = {
    codexHome: {
      path: home === undefined ? join(options.homeDir, ".codex") : resolve(home),
      explicit: home !== undefined,
    },
    variable: secret,
  };
  put(draft, "apiKey", secret("CODEX_API_KEY"));
  put(draft, "agentIdentity", secret("CODEX_AGENT_IDENTITY"));
  put(draft, "accessToken", secret("CODEX_ACCESS_TOKEN"));
  put(draft, "refreshTokenUrl", url("CODEX_REFRESH_TOKEN_URL_OVERRIDE"));
  put(draft, "revokeTokenUrl", url("CODEX_REVOKE_TOKEN_URL_OVERRIDE"));
  put(draft, "authApiBaseUrl", url("CODEX_AUTHAPI_BASE_URL"));
  put(draft, "agentIdentityAuthApiBaseUrl", url("CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL"));
  put(draft, "agentIdentityJwksBaseUrl", url("CODEX_AGENT_IDENTITY_JWKS_BASE_URL"));
  put(draft, "caBundle", caBundle(text));
  put(draft, "httpsProxy", proxy(secret, "HTTPS_PROXY"));
  put(draft, "httpProxy", proxy(secret, "HTTP_PROXY"));
  put(draft, "allProxy", proxy(secret, "ALL_PROXY"));
  put(draft, "noProxy", text("no_proxy") ?? text("NO_PROXY"));
  put(draft, "originator", text("CODEX_INTERNAL_ORIGINATOR_OVERRIDE"));
  return draft;
};

/** What stands before the `@` of a URL, with and without slashes, as the URL standard reads it. */
const userInfo = /^((?:[a-z][a-z\d+.-]*:)?[/\\]*)[^/\\?#]*@/i;

type Draft = { -readonly [K in keyof LoginEnvironment]: LoginEnvironment[K] };

const put = <K extends keyof Draft>(draft: Draft, key: K, value: Draft[K] | undefined): void => {
  if (value !== undefined) draft[key] = value;
};

const caBundle = (text: (name: string) => string | undefined): CaBundle | undefined => {
  for (const variable of ["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"] as const) {
    const path = text(variable);
    if (path !== undefined) return { variable, path };
  }
  return undefined;
};

/** Lower case wins, as in curl. */
const proxy = (
  secret: (name: string) => Redacted.Redacted | undefined,
  upper: "ALL_PROXY" | "HTTPS_PROXY" | "HTTP_PROXY",
): ProxySetting | undefined => {
  for (const variable of [upper.toLowerCase(), upper]) {
    const url = secret(variable);
    if (url !== undefined) return { variable, url };
  }
  return undefined;
};
