import type { HttpTransport } from "@agent-auth/agent-identity/http";
import { shortTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { AuthTokens } from "../storage/auth-json/index.ts";
import type { TokenAuthority } from "./authority.ts";
import { isSuccess, sendJson } from "./request.ts";

/**
 * Revokes a sign-in at the authority (RFC 7009, with a JSON body): its refresh token, or its access token if it has no
 * refresh token. Returns whether the authority confirmed the revocation. Never fails: the sign-in is removed in any
 * case, so a failure is only logged as a warning.
 */
export const revokeTokens = Effect.fn("login.revokeTokens")(function* (
  tokens: AuthTokens,
  authority: TokenAuthority,
): Effect.fn.Return<boolean, never, HttpTransport> {
  const body = requestBody(tokens, authority);
  const failure = yield* Effect.match(sendJson(authority.revokeUrl, body, shortTimeoutMs), {
    onFailure: ({ hint, message }) => `${message}. ${hint}`,
    onSuccess: (response) => (isSuccess(response) ? undefined : `status ${response.status}`),
  });
  if (failure === undefined) return true;
  yield* Effect.logWarning(`the sign-in could not be revoked at the authority: ${failure}`);
  return false;
});

const requestBody = (
  tokens: AuthTokens,
  authority: TokenAuthority,
): Readonly<Record<string, string>> => {
  const refreshToken = Redacted.value(tokens.refreshToken);
  return refreshToken === ""
    ? { token: Redacted.value(tokens.accessToken), token_type_hint: "access_token" }
    : { token: refreshToken, token_type_hint: "refresh_token", client_id: authority.clientId };
};
