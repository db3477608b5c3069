import { createLocalJWKSet, errors, jwtVerify } from "jose";
import * as z from "zod";
import { randomToken } from "../identities/accounts.ts";
import type { Account } from "../identities/accounts.ts";
import type { HttpResponse } from "../http/response.ts";
import { badRequest, json, HttpError, unauthorized } from "../http/response.ts";
import { parseForm, parseJson } from "../http/body.ts";
import type { Endpoint } from "../steering/endpoint-names.ts";
import type { RequestContext, Handler, Route } from "../http/router.ts";
import { path } from "../http/router.ts";
import type { AuthorityState } from "../state.ts";
import type { AuthorizationCode } from "./store.ts";
import { challengeOf } from "./store.ts";
import type { ChatgptTokens } from "./tokens.ts";
import { issueTokens, killFamily } from "./tokens.ts";
import { exchangeForApiToken, exchangeForWorkspaceToken } from "./workload-exchange.ts";

const noStore = { "cache-control": "no-store", pragma: "no-cache" };

const tokenResponse = (state: AuthorityState, tokens: ChatgptTokens, scope: string): HttpResponse =>
  json(
    200,
    {
      access_token: tokens.accessToken,
      id_token: tokens.idToken,
      refresh_token: tokens.refreshToken,
      token_type: "Bearer",
      expires_in: state.settings.accessTokenSeconds,
      scope,
    },
    noStore,
  );

const CodeExchange = z.object({
  grant_type: z.literal("authorization_code"),
  code: z.string().min(1),
  redirect_uri: z.string().min(1),
  client_id: z.string().min(1),
  // RFC 7636 §4.1
  code_verifier: z.string().regex(/^[A-Za-z0-9\-._~]{43,128}$/),
});

const checkCode = (
  state: AuthorityState,
  code: AuthorizationCode | undefined,
  given: z.infer<typeof CodeExchange>,
): AuthorizationCode => {
  if (code === undefined) throw badRequest("invalid_grant", "the code was not issued here");
  if (code.spentFor !== undefined) {
    for (const { family } of state.oauth.refreshTokens.values())
      if (family.id === code.spentFor) killFamily(state, family);
    throw badRequest("invalid_grant", "the code was used before; its tokens are revoked now");
  }
  if (code.expiresAtMs <= state.clock.nowMs())
    throw badRequest("invalid_grant", "the code has expired");
  if (code.clientId !== given.client_id)
    throw badRequest("invalid_grant", "the code was issued to another client_id");
  if (code.redirectUri !== given.redirect_uri)
    throw badRequest("invalid_grant", "redirect_uri is not the one that the code was sent to");
  if (code.codeChallenge !== challengeOf(given.code_verifier))
    throw badRequest("invalid_grant", "code_verifier does not belong to the code_challenge");
  return code;
};

const exchangeCode = async ({ state, request }: RequestContext): Promise<HttpResponse> => {
  const given = parseForm(request, CodeExchange);
  const code = checkCode(state, state.oauth.codes.get(given.code), given);
  const { account, clientId, scope, nonce } = code;
  const family = state.oauth.addFamily({ account, clientId, scope });
  code.spentFor = family.id;
  const claims = nonce === undefined ? {} : { idTokenClaims: { nonce } };
  return tokenResponse(state, await issueTokens(state, family, claims), scope);
};

const Refresh = z.object({
  grant_type: z.literal("refresh_token"),
  client_id: z.string().min(1),
  refresh_token: z.string().min(1),
  refresh_reason: z
    .enum(["proactive_expiry", "scheduled", "unauthorized_recovery", "forced"])
    .optional(),
});

const refresh = async ({ state, request }: RequestContext): Promise<HttpResponse> => {
  const given = parseJson(request, Refresh);
  const token = state.oauth.refreshTokens.get(given.refresh_token);
  if (token === undefined)
    throw unauthorized("refresh_token_invalidated", "the refresh token was not issued here");
  const { family } = token;
  if (family.clientId !== given.client_id)
    throw unauthorized("invalid_client", "the refresh token belongs to another client_id");
  if (token.used) {
    if (state.settings.punishReuse) killFamily(state, family);
    throw unauthorized("refresh_token_reused", "the refresh token was used before");
  }
  if (family.revoked) throw unauthorized("refresh_token_invalidated", "the sign-in was revoked");
  if (token.expiresAtMs <= state.clock.nowMs())
    throw unauthorized("refresh_token_expired", "the refresh token has expired");
  // Marked as used before the first await, so that only one of two concurrent requests succeeds.
  token.used = true;
  return tokenResponse(state, await issueTokens(state, family), family.scope);
};

const ApiKeyExchange = z.object({
  grant_type: z.literal("urn:ietf:params:oauth:grant-type:token-exchange"),
  client_id: z.string().min(1),
  requested_token: z.literal("openai-api-key"),
  subject_token: z.string().min(1),
  subject_token_type: z.literal("urn:ietf:params:oauth:token-type:id_token"),
});

const IdTokenAccount = z.object({
  "https://api.openai.com/auth": z.object({ chatgpt_account_id: z.string() }),
});

/** The account of an id token that this authority signed for the client and that has not expired. */
const accountOfIdToken = async (
  state: AuthorityState,
  idToken: string,
  clientId: string,
): Promise<Account> => {
  const { keys } = await state.keys.ownJwks();
  try {
    const { payload } = await jwtVerify(idToken, createLocalJWKSet({ keys: [...keys] }), {
      issuer: state.origin,
      audience: clientId,
      algorithms: ["RS256"],
      currentDate: new Date(state.clock.nowMs()),
    });
    const id = IdTokenAccount.parse(payload)["https://api.openai.com/auth"].chatgpt_account_id;
    const account = state.directory.accounts.find(({ accountId }) => accountId === id);
    if (account !== undefined) return account;
  } catch (error) {
    if (!(error instanceof errors.JOSEError) && !(error instanceof z.ZodError)) throw error;
  }
  throw unauthorized(
    "invalid_subject_token",
    "subject_token is not a valid id token of this client",
  );
};

const exchangeForApiKey = async ({ state, request }: RequestContext): Promise<HttpResponse> => {
  const given = parseForm(request, ApiKeyExchange);
  const account = await accountOfIdToken(state, given.subject_token, given.client_id);
  const key = state.directory.addBearer(randomToken("sk-proj-"), { kind: "apiKey", account });
  return json(200, { access_token: key, token_type: "Bearer" }, noStore);
};

const grants: ReadonlyMap<string, Endpoint> = new Map([
  ["authorization_code", "codeExchange"],
  ["refresh_token", "refresh"],
  ["urn:ietf:params:oauth:grant-type:token-exchange", "apiKeyExchange"],
  ["urn:ietf:params:oauth:grant-type:jwt-bearer", "workloadExchange"],
]);

const JsonGrant = z.object({
  grant_type: z.string(),
  identity_provider_id: z.unknown().optional(),
});

const grantOf = (body: string): Endpoint => {
  if (!body.trimStart().startsWith("{"))
    return grants.get(new URLSearchParams(body).get("grant_type") ?? "") ?? "token";
  try {
    const { grant_type, identity_provider_id } = JsonGrant.parse(JSON.parse(body));
    const grant = grants.get(grant_type) ?? "token";
    return grant === "apiKeyExchange" && identity_provider_id !== undefined
      ? "apiWorkloadExchange"
      : grant;
  } catch {
    return "token";
  }
};

const exchange: Handler = (one) => {
  if (one.request.endpoint === "codeExchange") return exchangeCode(one);
  if (one.request.endpoint === "refresh") return refresh(one);
  if (one.request.endpoint === "apiKeyExchange") return exchangeForApiKey(one);
  if (one.request.endpoint === "workloadExchange") return exchangeForWorkspaceToken(one);
  if (one.request.endpoint === "apiWorkloadExchange") return exchangeForApiToken(one);
  throw badRequest("unsupported_grant_type", "this endpoint does not support the grant_type");
};

/** The error in the shape and case that the settings ask for; clients meet all of them. */
const shaped = ({ settings }: AuthorityState, error: HttpError): HttpResponse => {
  const { status, type, message } = error;
  const code = settings.tokenErrorCase === "upper" ? error.code.toUpperCase() : error.code;
  if (settings.tokenErrorShape === "string")
    return json(status, { error: code, error_description: message }, noStore);
  if (settings.tokenErrorShape === "code") return json(status, { code, message }, noStore);
  return json(status, { error: { message, type, code } }, error.headers);
};

const handleToken: Handler = async (one) => {
  try {
    return await exchange(one);
  } catch (error) {
    if (error instanceof HttpError) return shaped(one.state, error);
    throw error;
  }
};

/** `POST /oauth/token`: code exchange with PKCE, refresh with rotation, and the exchanges of other tokens. */
export const tokenRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "token",
    method: "POST",
    pattern: path("/oauth/token"),
    refine: grantOf,
    handle: handleToken,
  },
];
