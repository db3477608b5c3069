import { randomBytes } from "node:crypto";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { AuthDocument } from "../storage/auth-json/index.ts";
import { InvalidLoginInput } from "../errors/index.ts";
import { decodeUnverifiedClaims } from "../oauth/id-token-claims.ts";
import { compact } from "../internal/compact.ts";
import type { ChatgptTokens } from "./types.ts";

interface NewSignIn {
  readonly document: AuthDocument;
  /** The workspaces that the tokens speak of: the one that requests will carry, and the ones that they claim. */
  readonly workspaceIds: ReadonlyArray<string>;
}

/** What is stored for a finished ChatGPT sign-in. Fails with `InvalidLoginInput` where the id token is no JWT. */
export const chatgptDocument = Effect.fnUntraced(function* (
  tokens: ChatgptTokens,
): Effect.fn.Return<NewSignIn, InvalidLoginInput> {
  const claims = decodeUnverifiedClaims(tokens.idToken);
  const what = "ChatGPT tokens";
  if (claims === undefined) {
    return yield* new InvalidLoginInput({ what, reason: "the id token is no JWT" });
  }
  if (Redacted.value(tokens.accessToken) === "" || Redacted.value(tokens.refreshToken) === "") {
    return yield* new InvalidLoginInput({ what, reason: "a token is empty" });
  }
  const accountId = tokens.accountId ?? claims.accountId;
  const nowMs = yield* Clock.currentTimeMillis;
  const document: AuthDocument = compact({
    authMode: "chatgpt" as const,
    openaiApiKey: tokens.apiKey,
    tokens: compact({
      idToken: tokens.idToken,
      accessToken: tokens.accessToken,
      refreshToken: tokens.refreshToken,
      oauthProvenance: tokens.provenance,
      loginOwnerId: randomBytes(32).toString("base64url"),
      accountId,
    }),
    lastRefresh: new Date(nowMs).toISOString(),
  });
  const claimed = [claims, decodeUnverifiedClaims(tokens.accessToken)].map((it) => it?.accountId);
  const named = accountId === undefined ? [] : [accountId, ...claimed];
  return { document, workspaceIds: [...new Set(named.filter((id) => id !== undefined))] };
});
