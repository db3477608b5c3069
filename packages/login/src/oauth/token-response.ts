import type { HttpResponse } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { z } from "zod";
import { AuthorityAnswerUnreadable, TokenExchangeRejected } from "../errors/oauth.ts";
import { decodeUnverifiedClaims, type UnverifiedTokenClaims } from "./id-token-claims.ts";
import { parseJson, parseServerError } from "./server-error.ts";

const TokenAnswer = z.object({
  id_token: z.string().min(1),
  access_token: z.string().min(1),
  refresh_token: z.string().min(1),
});

export interface IssuedTokens {
  readonly idToken: Redacted.Redacted;
  readonly accessToken: Redacted.Redacted;
  readonly refreshToken: Redacted.Redacted;
  /** Read, not verified: the token came over TLS from the issuer itself (OpenID Connect Core §3.1.3.7, 6). */
  readonly unverifiedClaims: UnverifiedTokenClaims;
}

/**
 * Reads the answer to an authorization code. Fails with `TokenExchangeRejected` for any status but 2xx, and with
 * `AuthorityAnswerUnreadable` for a body without the three tokens or with an id token that is no JWT.
 */
export const parseTokenAnswer = Effect.fnUntraced(function* (
  endpoint: string,
  answer: HttpResponse,
  secrets: ReadonlyArray<string>,
): Effect.fn.Return<IssuedTokens, AuthorityAnswerUnreadable | TokenExchangeRejected> {
  if (answer.status < 200 || answer.status > 299) {
    return yield* new TokenExchangeRejected({
      status: answer.status,
      ...parseServerError(answer.body, secrets),
    });
  }
  const unreadable = (reason: string) => new AuthorityAnswerUnreadable({ endpoint, reason });
  const json = parseJson(answer.body);
  if (json === undefined) return yield* unreadable("it is not JSON");
  const read = TokenAnswer.safeParse(json);
  if (!read.success) {
    const paths = read.error.issues.map((issue) => issue.path.join(".") || "the body");
    return yield* unreadable(`${paths.join(", ")} missing or of the wrong type`);
  }
  const idToken = Redacted.make(read.data.id_token, { label: "id_token" });
  const unverifiedClaims = decodeUnverifiedClaims(idToken);
  if (unverifiedClaims === undefined) return yield* unreadable("id_token is not a JWT");
  return {
    idToken,
    accessToken: Redacted.make(read.data.access_token, { label: "access_token" }),
    refreshToken: Redacted.make(read.data.refresh_token, { label: "refresh_token" }),
    unverifiedClaims,
  };
});
