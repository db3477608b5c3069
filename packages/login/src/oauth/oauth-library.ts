/**
 * How oauth4webapi carries this sign-in. It makes the state, the PKCE challenge, judges the authorization response
 * (RFC 6749 §4.1.2, RFC 9207 `iss`, repeated parameters, implicit and JARM answers) and builds the token requests.
 * Three things it cannot do with this server, and they are written by hand beside it:
 *
 * - reading token answers: they carry no `token_type`, which the library requires, and their errors come in three
 *   shapes, of which it knows one (`token-answer.ts`). It would also judge claims of an id token that nobody verifies;
 * - the device flow, which is not RFC 8628 but JSON of the server's own (`device-code.ts`);
 * - a verifier of 64 bytes (the library makes 32) and a comparison of `state` in constant time (`secrets.ts`).
 *
 * Its requests go out through `HttpTransport`, so proxies, extra roots and the refusal of plain http stay in one place.
 * It loads when a sign-in starts, not before.
 */
import { HttpTransport, type HttpResponse } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { AuthorizationFailed, type SignInError } from "../errors/oauth.ts";
import { fromTransportError, type Authority } from "./authority.ts";
import { serverError } from "./server-error.ts";

type OAuth = typeof import("oauth4webapi");

/** The library bound to one authority: what its functions want to be told on every call. */
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

/** The error channel of the transport, carried through the library, which lets a rejection of its fetch pass. */
class Undelivered extends Error {
  readonly failure: SignInError;
  constructor(failure: SignInError) {
    super("request not delivered");
    this.failure = failure;
  }
}

/**
 * What the library found wrong with an answer, in words of its own; anything else that it throws is a slip of ours. It
 * names parameters and quotes none.
 */
export const fromLibraryError = (
  { oauth }: OAuthSession,
  cause: unknown,
): AuthorizationFailed | undefined =>
  cause instanceof oauth.OperationProcessingError ||
  cause instanceof oauth.UnsupportedOperationError
    ? new AuthorizationFailed({
        error: "invalid_response",
        ...serverError("", cause.message),
      })
    : undefined;

/** It reads the parameters of the callback, a repeated `code` among them, only when it builds its request. */
const refusalOf = (session: OAuthSession, cause: unknown): Effect.Effect<never, SignInError> => {
  const refusal = fromLibraryError(session, cause);
  return refusal === undefined ? Effect.die(cause) : Effect.fail(refusal);
};

/**
 * Lets the library send one token request and gives back the answer, whose status is not judged. `order` names the
 * form's fields in the order in which this authority's other clients send them.
 */
export const sendTokenRequest = (
  session: OAuthSession,
  order: ReadonlyArray<string>,
  timeoutMs: number,
  send: (options: import("oauth4webapi").TokenEndpointRequestOptions) => Promise<Response>,
): Effect.Effect<HttpResponse, SignInError, HttpTransport> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<HttpTransport>();
    let answer: HttpResponse | undefined;
    const post = (
      url: string,
      form: URLSearchParams,
    ): Effect.Effect<Response, SignInError, HttpTransport> =>
      Effect.gen(function* () {
        const transport = yield* HttpTransport;
        answer = yield* transport
          .request({
            method: "POST",
            url,
            headers: {
              accept: "application/json",
              "content-type": "application/x-www-form-urlencoded",
            },
            body: Redacted.make(inOrder(form, order).toString(), { label: "token request" }),
            timeoutMs,
          })
          .pipe(Effect.mapError((error) => fromTransportError(url, error)));
        return new Response(null);
      });
    yield* Effect.tryPromise({
      try: (signal) =>
        send({
          signal,
          [session.oauth.allowInsecureRequests]: true, // the transport decides, by host
          [session.oauth.customFetch]: (url, { body }) =>
            Effect.runPromiseWith(context)(Effect.result(post(url, body)), { signal }).then(
              (sent) => {
                if (sent._tag === "Failure") throw new Undelivered(sent.failure);
                return sent.success;
              },
            ),
        }),
      catch: (cause) => cause,
    }).pipe(
      Effect.catch((cause) =>
        cause instanceof Undelivered ? Effect.fail(cause.failure) : refusalOf(session, cause),
      ),
    );
    return answer ?? (yield* Effect.die(new Error("the OAuth library sent nothing")));
  });

const inOrder = (form: URLSearchParams, order: ReadonlyArray<string>): URLSearchParams =>
  new URLSearchParams([...form].toSorted(([a], [b]) => place(order, a) - place(order, b)));

const place = (order: ReadonlyArray<string>, name: string): number => {
  const index = order.indexOf(name);
  return index === -1 ? order.length : index;
};
