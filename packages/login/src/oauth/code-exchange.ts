import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { z } from "zod";
import type { ChatgptTokens } from "../manager/index.ts";
import { WorkspaceNotAllowed } from "../errors/index.ts";
import type { SignInError } from "../errors/oauth.ts";
import { compact } from "../internal/compact.ts";
import { REQUEST_TIMEOUT_MS } from "./authority.ts";
import { sendTokenRequest, type OAuthSession } from "./oauth-library.ts";
import { plainText } from "./plain-text.ts";
import { parseJson } from "./server-error.ts";
import { parseTokenAnswer, type IssuedTokens } from "./token-response.ts";

/** A code and what it was asked with. */
export interface AuthorizationCode {
  /** The answer's parameters, as the library's `validateAuthResponse` gave them back. */
  readonly parameters: URLSearchParams;
  readonly redirectUri: string;
  readonly codeVerifier: string;
}

const CODE_FORM = ["grant_type", "code", "redirect_uri", "client_id", "code_verifier"];
/** Milliseconds: most sign-ins get no key, and none is worth waiting long for. */
const API_KEY_TIMEOUT_MS = 10_000;
const API_KEY_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange";
const API_KEY_FORM = [
  "grant_type",
  "client_id",
  "requested_token",
  "subject_token",
  "subject_token_type",
];

/**
 * Turns a code into the tokens of a sign-in: exchanges it (RFC 6749 §4.1.3, RFC 7636 §4.5), refuses a workspace that is
 * not in `allowedWorkspaceIds` (empty: any), then asks for an API key. Nothing is saved here.
 */
export const exchangeCode = Effect.fn("signIn.exchangeCode")(function* (
  session: OAuthSession,
  code: AuthorizationCode,
  allowedWorkspaceIds: ReadonlyArray<string>,
): Effect.fn.Return<ChatgptTokens, SignInError, HttpTransport> {
  const issued = yield* fetchTokens(session, code);
  const { accountId } = issued.unverifiedClaims;
  if (allowedWorkspaceIds.length > 0 && !allowedWorkspaceIds.includes(accountId ?? "")) {
    return yield* new WorkspaceNotAllowed(
      compact({ allowed: allowedWorkspaceIds, found: plainText(accountId) }),
    );
  }
  const apiKey = yield* fetchApiKey(session, issued.idToken);
  const { idToken, accessToken, refreshToken } = issued;
  const { provenance } = session.authority;
  return compact({ idToken, accessToken, refreshToken, accountId, apiKey, provenance });
});

const fetchTokens = Effect.fnUntraced(function* (
  session: OAuthSession,
  { parameters, redirectUri, codeVerifier }: AuthorizationCode,
): Effect.fn.Return<IssuedTokens, SignInError, HttpTransport> {
  const { oauth, server, client } = session;
  const answer = yield* sendTokenRequest(session, CODE_FORM, REQUEST_TIMEOUT_MS, (options) =>
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
  return yield* parseTokenAnswer(`${session.authority.issuer}/oauth/token`, answer, secrets);
});

const ApiKeyAnswer = z.object({ access_token: z.string().min(1) });

/** The API key that belongs to an id token (RFC 8693), where the authority gives one: most accounts have none. */
const fetchApiKey = (
  session: OAuthSession,
  idToken: Redacted.Redacted,
): Effect.Effect<Redacted.Redacted | undefined, never, HttpTransport> => {
  const { oauth, server, client } = session;
  const form = {
    requested_token: "openai-api-key",
    subject_token: Redacted.value(idToken),
    subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
  };
  return sendTokenRequest(session, API_KEY_FORM, API_KEY_TIMEOUT_MS, (options) =>
    oauth.genericTokenEndpointRequest(server, client, oauth.None(), API_KEY_GRANT, form, options),
  ).pipe(
    Effect.map(({ status, body }) => {
      const read = ApiKeyAnswer.safeParse(parseJson(body));
      if (status !== 200 || !read.success) return undefined;
      return Redacted.make(read.data.access_token, { label: "OPENAI_API_KEY" });
    }),
    Effect.orElseSucceed(() => undefined),
  );
};
