import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { AuthTokens } from "../storage/auth-json/index.ts";
import type { TokenAuthority } from "./token-authority.ts";

const timeoutMs = 10_000;

/**
 * Asks the authority to forget a sign-in (RFC 7009, as JSON): its refresh token, or its access token where it has no
 * other. Comes back with whether the authority confirmed; never fails, since the sign-in is going away regardless.
 */
export const revokeTokens = Effect.fn("login.revokeTokens")(function* (
  tokens: AuthTokens,
  authority: TokenAuthority,
): Effect.fn.Return<boolean, never, HttpTransport> {
  const transport = yield* HttpTransport;
  const answer = yield* Effect.result(
    transport.request({
      method: "POST",
      url: authority.revokeUrl,
      headers: { accept: "application/json", "content-type": "application/json" },
      body: Redacted.make(JSON.stringify(requestBody(tokens, authority)), { label: "revocation" }),
      timeoutMs,
    }),
  );
  const failure =
    answer._tag === "Failure"
      ? answer.failure.message
      : answer.success.status >= 300
        ? `status ${answer.success.status}`
        : undefined;
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
