import * as Effect from "effect/Effect";
import {
  AuthorizationCodeMissing,
  AuthorizationDenied,
  AuthorizationFailed,
  CodexEntitlementMissing,
} from "../errors/oauth.ts";
import { fromLibraryError, type OAuthSession } from "./oauth-library.ts";
import { makeServerError } from "./server-error.ts";

type AuthorizationResponseError =
  | AuthorizationCodeMissing
  | AuthorizationDenied
  | AuthorizationFailed
  | CodexEntitlementMissing;

/**
 * Validates the authorization response, which is the query of the callback (RFC 6749 §4.1.2). `state` was already compared
 * in constant time; the OAuth library compares it again, and checks `iss`, repeated parameters and response types that
 * were not requested. Returns the library's own copy of the parameters, which its token request requires.
 */
export const validateAuthorizationResponse = Effect.fnUntraced(function* (
  session: OAuthSession,
  parameters: URLSearchParams,
  state: string,
): Effect.fn.Return<URLSearchParams, AuthorizationResponseError> {
  const { oauth, server, client } = session;
  const validated = yield* Effect.try({
    try: () => oauth.validateAuthResponse(server, client, parameters, state),
    catch: (cause) =>
      cause instanceof oauth.AuthorizationResponseError
        ? fromErrorResponse(parameters)
        : (fromLibraryError(session, cause) ??
          new AuthorizationFailed({
            error: "invalid_response",
            description: "malformed response",
          })),
  });
  if (!validated.get("code")) return yield* new AuthorizationCodeMissing();
  return validated;
});

/** RFC 6749 §4.1.2.1. */
const fromErrorResponse = (parameters: URLSearchParams): AuthorizationResponseError => {
  const { error = "unknown_error", description } = makeServerError(
    parameters.get("error"),
    parameters.get("error_description"),
  );
  if (description?.includes("missing_codex_entitlement")) return new CodexEntitlementMissing();
  const details = description === undefined ? {} : { description };
  return error === "access_denied"
    ? new AuthorizationDenied(details)
    : new AuthorizationFailed({ error, ...details });
};
