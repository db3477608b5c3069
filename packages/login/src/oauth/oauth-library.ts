/**
 * How oauth4webapi is used for this sign-in. It makes the state and the PKCE challenge, validates the authorization
 * response (RFC 6749 §4.1.2, RFC 9207 `iss`, repeated parameters, implicit and JARM responses) and builds the token
 * requests. It cannot do three things with this authority, which are implemented here:
 *
 * - token responses: they have no `token_type`, which the library requires, and their errors come in three shapes, of
 *   which it knows one (`code-exchange.ts`). It would also check claims of an id token that is not verified;
 * - the device flow, which is not RFC 8628 but the authority's own JSON (`device-endpoints.ts`);
 * - a code verifier of 64 bytes (the library makes 32) and a comparison of `state` in constant time.
 *
 * Its requests are sent through `HttpTransport`, so that proxies, root certificates and the check for plain http stay in
 * one place. It is loaded when a sign-in starts.
 */
import { HttpTransport, type HttpResponse } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { AuthorizationFailed, type SignInError } from "../errors/oauth.ts";
import type { Authority } from "./authority.ts";
import { fromTransportError } from "./request.ts";
import { makeServerError } from "./server-error.ts";

type OAuth = typeof import("oauth4webapi");

/** The library with the authority and the client that its functions take on every call. */
export interface OAuthSession {
  readonly oauth: OAuth;
  readonly server: import("oauth4webapi").AuthorizationServer;
  readonly client: import("oauth4webapi").Client;
  readonly authority: Authority;
}

export const openOAuthSession = (authority: Authority): Effect.Effect<OAuthSession> =>
  Effect.map(
    Effect.promise(() => import("oauth4webapi")),
    (oauth) => ({
      oauth,
      server: { issuer: authority.issuer, token_endpoint: `${authority.issuer}/oauth/token` },
      client: { client_id: authority.clientId, token_endpoint_auth_method: "none" },
      authority,
    }),
  );

/** Carries a typed error through the library, which passes on a rejection of its fetch. */
class RequestNotSent extends Error {
  readonly failure: SignInError;
  constructor(failure: SignInError) {
    super("request not sent");
    this.failure = failure;
  }
}

/**
 * Returns the library's error about a response as a typed error, or `undefined` for anything else that it throws. Its
 * messages name parameters but do not quote their values.
 */
export const fromLibraryError = (
  { oauth }: OAuthSession,
  cause: unknown,
): AuthorizationFailed | undefined =>
  cause instanceof oauth.OperationProcessingError ||
  cause instanceof oauth.UnsupportedOperationError
    ? new AuthorizationFailed({
        error: "invalid_response",
        ...makeServerError("", cause.message),
      })
    : undefined;

const failOrDie = (session: OAuthSession, cause: unknown): Effect.Effect<never, SignInError> => {
  const error = cause instanceof RequestNotSent ? cause.failure : fromLibraryError(session, cause);
  return error === undefined ? Effect.die(cause) : Effect.fail(error);
};

/**
 * Lets the library build one token request, sends it, and returns the response of any status. `fieldOrder` names the
 * form's fields in the order that Codex sends.
 */
export const sendTokenRequest = (
  session: OAuthSession,
  fieldOrder: ReadonlyArray<string>,
  timeoutMs: number,
  send: (options: import("oauth4webapi").TokenEndpointRequestOptions) => Promise<Response>,
): Effect.Effect<HttpResponse, SignInError, HttpTransport> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<HttpTransport>();
    const transport = yield* HttpTransport;
    let response: HttpResponse | undefined;
    const post = (url: string, form: URLSearchParams) =>
      transport
        .request({
          method: "POST",
          url,
          headers: {
            accept: "application/json",
            "content-type": "application/x-www-form-urlencoded",
          },
          body: Redacted.make(inOrder(form, fieldOrder).toString(), { label: "token request" }),
          timeoutMs,
        })
        .pipe(Effect.mapError((error) => fromTransportError(url, error)));
    yield* Effect.tryPromise({
      try: (signal) =>
        send({
          signal,
          [session.oauth.allowInsecureRequests]: true, // the transport decides, by host
          [session.oauth.customFetch]: async (url, { body }) => {
            const sent = await Effect.runPromiseWith(context)(Effect.result(post(url, body)), {
              signal,
            });
            if (sent._tag === "Failure") throw new RequestNotSent(sent.failure);
            response = sent.success;
            return new Response(null);
          },
        }),
      catch: (cause) => cause,
    }).pipe(Effect.catch((cause) => failOrDie(session, cause)));
    return response ?? (yield* Effect.die(new Error("the OAuth library sent nothing")));
  });

const inOrder = (form: URLSearchParams, order: ReadonlyArray<string>): URLSearchParams =>
  new URLSearchParams([...form].toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b)));
