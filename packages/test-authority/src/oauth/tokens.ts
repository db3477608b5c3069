import type { Account } from "../identities/accounts.ts";
import { personalTokenClaims, signClaims } from "../identities/claims.ts";
import type { AuthorityState } from "../state.ts";
import type { RefreshFamily } from "./store.ts";

/** Codex's own client id, the default for minted tokens. */
export const codexClientId = "app_EMoamEEZ73f0CkXaXp7hrann";
export const defaultScope =
  "openid profile email offline_access api.connectors.read api.connectors.invoke";
const apiAudience = "https://api.openai.com/v1";
const refreshSeconds = 60 * 60 * 24 * 30;

/** Options of one sign-in's tokens. */
export interface MintChatgptTokensOptions {
  /** Default: the authority's first account. */
  readonly account?: Account;
  /** Seconds until the access and id tokens expire; negative for expired ones. Default: the setting (3600). */
  readonly expiresInSeconds?: number;
  /** Seconds until the refresh token expires. Default: 30 days. */
  readonly refreshExpiresInSeconds?: number;
  /** Default: Codex's own. */
  readonly clientId?: string;
  /** Claims that are added to those of the id token or replace them; undefined removes one. */
  readonly idTokenClaims?: Readonly<Record<string, unknown>>;
  /** The same for the access token; `{ exp: undefined }` makes one without an expiry. */
  readonly accessTokenClaims?: Readonly<Record<string, unknown>>;
}

/** A sign-in's tokens. The authority accepts all three. */
export interface ChatgptTokens {
  readonly idToken: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly accountId: string;
  readonly account: Account;
}

/** Issues new tokens for a family; the new refresh token replaces the last one. */
export const issueTokens = async (
  state: AuthorityState,
  family: RefreshFamily,
  options: MintChatgptTokensOptions = {},
): Promise<ChatgptTokens> => {
  const { account, clientId } = family;
  const nowMs = state.clock.nowMs();
  const { expiresInSeconds = state.settings.accessTokenSeconds } = options;
  const { refreshExpiresInSeconds = refreshSeconds } = options;
  const facts = { account, issuer: state.origin, clientId, nowMs, expiresInSeconds };
  const refreshToken = state.oauth.addRefreshToken(family, nowMs + refreshExpiresInSeconds * 1000);
  const [idToken, accessToken] = await Promise.all([
    signClaims(state.keys, {
      ...personalTokenClaims({ ...facts, audience: clientId }),
      ...options.idTokenClaims,
    }),
    signClaims(state.keys, {
      ...personalTokenClaims({ ...facts, audience: apiAudience }),
      scp: family.scope.split(" "),
      ...options.accessTokenClaims,
    }),
  ]);
  const statesExpiry =
    options.accessTokenClaims === undefined || !("exp" in options.accessTokenClaims);
  state.directory.addBearer(accessToken, {
    kind: "accessToken",
    account,
    familyId: family.id,
    ...(statesExpiry ? { expiresAtMs: nowMs + expiresInSeconds * 1000 } : {}),
  });
  // The family may have been revoked while its tokens were being signed.
  if (family.revoked) state.directory.revokeFamily(family.id);
  return { idToken, accessToken, refreshToken, accountId: account.accountId, account };
};

/** Mints the tokens of a new sign-in. */
export const mintChatgptTokens = (
  state: AuthorityState,
  options: MintChatgptTokensOptions = {},
): Promise<ChatgptTokens> => {
  const { account = state.account, clientId = codexClientId } = options;
  const family = state.oauth.addFamily({ account, clientId, scope: defaultScope });
  return issueTokens(state, family, options);
};

/** Ends a sign-in: its refresh tokens and every access token that came from them. */
export const killFamily = (state: AuthorityState, family: RefreshFamily): void => {
  family.revoked = true;
  state.directory.revokeFamily(family.id);
};

/** Revokes the sign-in that a refresh token belongs to. Returns whether the token was known. */
export const revokeRefreshToken = (state: AuthorityState, token: string): boolean => {
  const found = state.oauth.refreshTokens.get(token);
  if (found !== undefined) killFamily(state, found.family);
  return found !== undefined;
};

/** Makes a refresh token expire now. Returns whether it was known. */
export const expireRefreshToken = (state: AuthorityState, token: string): boolean => {
  const found = state.oauth.refreshTokens.get(token);
  if (found !== undefined) found.expiresAtMs = state.clock.nowMs();
  return found !== undefined;
};
