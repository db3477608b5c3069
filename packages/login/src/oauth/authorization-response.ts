import * as Effect from "effect/Effect";
import {
  AuthorizationCodeMissing,
  AuthorizationDenied,
  AuthorizationFailed,
  CodexEntitlementMissing,
} from "../errors/oauth.ts";
import { fromLibraryError, type OAuthSession } from "./oauth-library.ts";
import { serverError } from "./server-error.ts";

export type AuthorizationAnswerError =
  | AuthorizationCodeMissing
  | AuthorizationDenied
  | AuthorizationFailed
  | CodexEntitlementMissing;

/**
 * Judges what the authority answered through the browser. `state` was already compared, in constant time; the library
 * compares it again and looks at `iss`, repeated parameters and kinds of answer that nobody asked for. What comes back
 * is the library's own copy of the parameters, which its token request insists on.
 */
export const readAuthorizationAnswer = Effect.fnUntraced(function* (
  session: OAuthSession,
  parameters: URLSearchParams,
  state: string,
): Effect.fn.Return<URLSearchParams, AuthorizationAnswerError> {
  const { oauth, server, client } = session;
  const judged = yield* Effect.try({
    try: () => oauth.validateAuthResponse(server, client, parameters, state),
    catch: (cause) => toError(session, parameters, cause),
  });
  if (!judged.get("code")) return yield* new AuthorizationCodeMissing();
  return judged;
});

const toError = (
  session: OAuthSession,
  parameters: URLSearchParams,
  cause: unknown,
): AuthorizationAnswerError => {
  if (cause instanceof session.oauth.AuthorizationResponseError) return toRefusal(parameters);
  return (
    fromLibraryError(session, cause) ??
    new AuthorizationFailed({ error: "invalid_response", ...serverError("", "malformed answer") })
  );
};

const toRefusal = (parameters: URLSearchParams): AuthorizationAnswerError => {
  const { error = "unknown_error", description } = serverError(
    parameters.get("error"),
    parameters.get("error_description"),
  );
  if (description?.includes("missing_codex_entitlement")) return new CodexEntitlementMissing();
  const told = { ...(description !== undefined && { description }) };
  return error === "access_denied"
    ? new AuthorizationDenied(told)
    : new AuthorizationFailed({ error, ...told });
};
