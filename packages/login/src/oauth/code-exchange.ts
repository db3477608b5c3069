import type { HttpResponse, HttpTransport } from "@agent-auth/agent-identity/http";
import { requestTimeoutMs, shortTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import {
  AuthorityResponseInvalid,
  CodeExchangeRejected,
  type SignInError,
} from "../errors/oauth.ts";
import { WorkspaceNotAllowed } from "../errors/restriction.ts";
import { compact } from "../internal/compact.ts";
import type { Authority } from "./authority.ts";
import { decodeUnverifiedClaims } from "./id-token-claims.ts";
import { sendTokenRequest, type OAuthSession } from "./oauth-library.ts";
import { isSuccess, parseResponse } from "./request.ts";
import { parseServerError, sanitizeText } from "./server-error.ts";

/** Tokens of a finished ChatGPT sign-in, not yet saved. */
export interface ChatgptTokens {
  readonly idToken: Redacted.Redacted;
  readonly accessToken: Redacted.Redacted;
  readonly refreshToken: Redacted.Redacted;
  readonly accountId?: string;
  /** The API key that the authority issued for the id token. Only browser sign-ins ask for one. */
  readonly apiKey?: Redacted.Redacted;
  /** The authority that issued the tokens. Refresh and revocation go there. Absent means the default authority. */
  readonly provenance?: Authority;
}

/** An authorization code, and what it was requested with. */
export interface AuthorizationCode {
  /** The response's parameters, as the library's `validateAuthResponse` returned them. */
  readonly parameters: URLSearchParams;
  readonly redirectUri: string;
  readonly codeVerifier: string;
}

const codeFields = ["grant_type", "code", "redirect_uri", "client_id", "code_verifier"];

/**
 * Exchanges an authorization code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.5). Fails with `WorkspaceNotAllowed` if the
 * tokens belong to a workspace that is not in `allowedWorkspaceIds` (empty: any). Saves nothing.
 */
export const exchangeCode = Effect.fn("signIn.exchangeCode")(function* (
  session: OAuthSession,
  { parameters, redirectUri, codeVerifier }: AuthorizationCode,
  allowedWorkspaceIds: ReadonlyArray<string>,
): Effect.fn.Return<ChatgptTokens, SignInError, HttpTransport> {
  const { authority, oauth, server, client } = session;
  const response = yield* sendTokenRequest(session, codeFields, requestTimeoutMs, (options) =>
    oauth.authorizationCodeGrantRequest(
      server,
      client,
      oauth.None(),
      parameters,
      redirectUri,
      codeVerifier,
      options,
    ),
  );
  const secrets = [parameters.get("code") ?? "", codeVerifier];
  const tokens = yield* parseTokenResponse(authority, response, secrets);
  const { accountId } = tokens;
  if (allowedWorkspaceIds.length > 0 && !allowedWorkspaceIds.includes(accountId ?? "")) {
    return yield* new WorkspaceNotAllowed(
      compact({ allowed: allowedWorkspaceIds, found: sanitizeText(accountId) }),
    );
  }
  return tokens;
});

const secret = z.string().check(z.minLength(1));
const TokenResponse = z.object({ id_token: secret, access_token: secret, refresh_token: secret });

/** The id token is read, not verified: it came over TLS from the issuer itself (OpenID Connect Core §3.1.3.7, 6). */
const parseTokenResponse = Effect.fnUntraced(function* (
  authority: Authority,
  response: HttpResponse,
  secrets: ReadonlyArray<string>,
): Effect.fn.Return<ChatgptTokens, AuthorityResponseInvalid | CodeExchangeRejected> {
  const { body, status } = response;
  if (!isSuccess(response)) {
    return yield* new CodeExchangeRejected({ status, ...parseServerError(body, secrets) });
  }
  const endpoint = `${authority.issuer}/oauth/token`;
  const parsed = parseResponse(TokenResponse, body);
  if ("problem" in parsed) {
    return yield* new AuthorityResponseInvalid({ endpoint, reason: parsed.problem });
  }
  const { id_token, access_token, refresh_token } = parsed.value;
  const idToken = Redacted.make(id_token, { label: "id_token" });
  const claims = decodeUnverifiedClaims(idToken);
  if (claims === undefined) {
    return yield* new AuthorityResponseInvalid({ endpoint, reason: "id_token is not a JWT" });
  }
  return compact({
    idToken,
    accessToken: Redacted.make(access_token, { label: "access_token" }),
    refreshToken: Redacted.make(refresh_token, { label: "refresh_token" }),
    accountId: claims.accountId,
    provenance: authority,
  });
});

const apiKeyGrant = "urn:ietf:params:oauth:grant-type:token-exchange";
const apiKeyFields = [
  "grant_type",
  "client_id",
  "requested_token",
  "subject_token",
  "subject_token_type",
];
const ApiKeyResponse = z.object({ access_token: secret });

/** Requests the API key of an id token (RFC 8693). Returns `undefined` if the authority issues none, or on any failure. */
export const requestApiKey = (
  session: OAuthSession,
  idToken: Redacted.Redacted,
): Effect.Effect<Redacted.Redacted | undefined, never, HttpTransport> => {
  const { oauth, server, client } = session;
  const form = {
    requested_token: "openai-api-key",
    subject_token: Redacted.value(idToken),
    subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
  };
  return sendTokenRequest(session, apiKeyFields, shortTimeoutMs, (options) =>
    oauth.genericTokenEndpointRequest(server, client, oauth.None(), apiKeyGrant, form, options),
  ).pipe(
    Effect.map(({ status, body }) => {
      const parsed = parseResponse(ApiKeyResponse, body);
      return status === 200 && "value" in parsed
        ? Redacted.make(parsed.value.access_token, { label: "OPENAI_API_KEY" })
        : undefined;
    }),
    Effect.orElseSucceed(() => undefined),
  );
};
