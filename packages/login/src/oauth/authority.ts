import { isLoopbackUrl } from "@agent-auth/agent-identity/urls";
import * as Effect from "effect/Effect";
import type { LoginEnvironment } from "../config/environment.ts";
import { IssuerInvalid } from "../errors/oauth.ts";
import type { OauthProvenance } from "../storage/auth-json/index.ts";
import { sanitizeText } from "./server-error.ts";

/** The authority that ChatGPT sign-ins use by default. */
export const defaultIssuer = "https://auth.openai.com";
/** The public OAuth client of Codex. */
export const defaultClientId = "app_EMoamEEZ73f0CkXaXp7hrann";

/** Which authority (RFC 6749: authorization server) a person signs in with. */
export interface AuthorityOptions {
  /** Default `https://auth.openai.com`. Trailing slashes do not matter; a path is kept. */
  readonly issuer?: string;
  /** Default: the public client of Codex. */
  readonly clientId?: string;
  /** Allows a plain http issuer on hosts other than loopback. Default false. */
  readonly allowInsecureHttp?: boolean;
}

/** An authority, and the client that signs in there. */
export interface Authority {
  /** Without a trailing slash. */
  readonly issuer: string;
  readonly clientId: string;
}

/**
 * Returns the authority that the options name. Fails with `IssuerInvalid`. Sends nothing.
 *
 * @example
 * ```ts
 * import { parseAuthority } from "@agent-auth/login/oauth/authority";
 * import * as Effect from "effect/Effect";
 *
 * const { issuer } = Effect.runSync(parseAuthority({ issuer: "https://auth.example.com/" }));
 * issuer; // "https://auth.example.com"
 * ```
 */
export const parseAuthority = (
  options: AuthorityOptions,
): Effect.Effect<Authority, IssuerInvalid> => {
  const issuer = (options.issuer?.trim() ?? defaultIssuer).replace(/\/+$/, "");
  const clientId = options.clientId?.trim() || defaultClientId;
  const reason = findIssuerProblem(issuer, options.allowInsecureHttp ?? false);
  return reason === undefined
    ? Effect.succeed({ issuer, clientId })
    : Effect.fail(new IssuerInvalid({ issuer: withoutUserInfo(issuer), reason }));
};

const findIssuerProblem = (
  issuer: string,
  allowInsecureHttp: boolean | undefined,
): string | undefined => {
  const url = URL.parse(issuer);
  if (url === null) return "it is not an absolute URL";
  if (url.protocol !== "https:" && url.protocol !== "http:") return "it is not an http(s) URL";
  if (url.username !== "" || url.password !== "") return "it has a user name or password";
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(issuer))
    return "it has a query or a fragment";
  if (url.protocol === "http:" && allowInsecureHttp !== true && !isLoopbackUrl(issuer))
    return "plain http is allowed for loopback hosts only";
  return undefined;
};

const withoutUserInfo = (issuer: string): string =>
  sanitizeText(issuer.replace(/\/\/[^/]*@/, "//***@"), { maxLength: 200 }) ?? "(empty)";

/** Where stored tokens are refreshed and revoked, and as which client. */
export interface TokenAuthority {
  readonly tokenUrl: string;
  readonly revokeUrl: string;
  readonly clientId: string;
}

/**
 * Returns where stored tokens are refreshed and revoked (docs/protocol.md §1, §9). The environment variables take
 * precedence, then the `oauth_provenance` of the tokens, then the default authority. Returns `undefined` if the provenance
 * names an issuer that no refresh token may be sent to.
 *
 * @example
 * ```ts
 * import { tokenAuthority } from "@agent-auth/login/oauth/authority";
 *
 * const authority = tokenAuthority({}, { issuer: "https://auth.example.com", clientId: "mine" }, false);
 * authority?.tokenUrl; // "https://auth.example.com/oauth/token"
 * ```
 */
export const tokenAuthority = (
  environment: Pick<LoginEnvironment, "refreshTokenUrl" | "revokeTokenUrl">,
  provenance: OauthProvenance | undefined,
  allowInsecureHttp: boolean | undefined,
): TokenAuthority | undefined => {
  const issuer = (provenance?.issuer ?? defaultIssuer).replace(/\/+$/, "");
  const override = environment.refreshTokenUrl;
  if (override === undefined && !mayReceiveTokens(issuer, allowInsecureHttp)) return undefined;
  return {
    tokenUrl: override ?? `${issuer}/oauth/token`,
    revokeUrl: environment.revokeTokenUrl ?? `${originOf(override) ?? issuer}/oauth/revoke`,
    clientId: provenance?.clientId ?? defaultClientId,
  };
};

const originOf = (url: string | undefined): string | undefined =>
  url === undefined ? undefined : URL.parse(url)?.origin;

const mayReceiveTokens = (issuer: string, allowInsecureHttp: boolean | undefined): boolean => {
  const protocol = URL.parse(issuer)?.protocol;
  return (
    protocol === "https:" ||
    (protocol === "http:" && (allowInsecureHttp === true || isLoopbackUrl(issuer)))
  );
};
