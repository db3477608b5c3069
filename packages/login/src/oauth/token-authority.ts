import { isLoopbackUrl } from "@agent-auth/agent-identity/urls";
import type { OauthProvenance } from "../storage/auth-json/index.ts";
import type { LoginEnvironment } from "../config/environment.ts";

const defaultIssuer = "https://auth.openai.com";
const defaultClientId = "app_EMoamEEZ73f0CkXaXp7hrann";

/** Where tokens are refreshed and revoked, and as which client. */
export interface TokenAuthority {
  readonly tokenUrl: string;
  readonly revokeUrl: string;
  readonly clientId: string;
}

/**
 * The authority of stored tokens (docs/protocol.md §1, §9): the variables win, then what the tokens say of their
 * origin, then the default. `undefined` where the tokens name an issuer that no refresh token may be sent to.
 */
export const tokenAuthority = (
  environment: LoginEnvironment,
  provenance: OauthProvenance | undefined,
  allowInsecureHttp: boolean,
): TokenAuthority | undefined => {
  const issuer = (provenance?.issuer ?? defaultIssuer).replace(/\/+$/, "");
  const override = environment.refreshTokenUrl;
  if (override === undefined && !isTrustworthy(issuer, allowInsecureHttp)) return undefined;
  return {
    tokenUrl: override ?? `${issuer}/oauth/token`,
    revokeUrl: environment.revokeTokenUrl ?? revokeUrl(override, issuer),
    clientId: provenance?.clientId ?? defaultClientId,
  };
};

const revokeUrl = (override: string | undefined, issuer: string): string =>
  override !== undefined && URL.canParse(override)
    ? `${new URL(override).origin}/oauth/revoke`
    : `${issuer}/oauth/revoke`;

const isTrustworthy = (issuer: string, allowInsecureHttp: boolean): boolean => {
  if (!URL.canParse(issuer)) return false;
  const { protocol } = new URL(issuer);
  return (
    protocol === "https:" || (protocol === "http:" && (allowInsecureHttp || isLoopbackUrl(issuer)))
  );
};
