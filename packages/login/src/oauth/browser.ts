import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { SignInStateMismatch, SignInTimedOut, type SignInError } from "../errors/oauth.ts";
import { compact } from "../internal/compact.ts";
import { randomSecret } from "../internal/secure-random.ts";
import { parseAuthority, type AuthorityOptions } from "./authority.ts";
import { validateAuthorizationResponse } from "./authorization-response.ts";
import { authorizeUrl, type SignInWorkspace } from "./authorize-url.ts";
import type { CallbackHandler } from "./callback/handler.ts";
import { openCallbackServer, type CallbackServer } from "./callback/server.ts";
import { exchangeCode, requestApiKey, type ChatgptTokens } from "./code-exchange.ts";
import { openOAuthSession, type OAuthSession } from "./oauth-library.ts";
import { contentForError, notSaved } from "./pages/contents.ts";

export type { SignInWorkspace } from "./authorize-url.ts";

/** What a person has to open. */
export interface AuthorizePrompt {
  /**
   * The authority's sign-in page. Show it to the person, but do not pass it to a process as an argument: every user of
   * the machine can read arguments, and anyone who has this URL can complete the sign-in with another account.
   */
  readonly url: string;
  readonly redirectUri: string;
  /** When the callback server closes, milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

export interface BrowserSignInOptions<E = never, R = never> extends AuthorityOptions {
  /** Sent with the sign-in URL, and by the Promise API with each request. Default `codex_cli_rs`. */
  readonly originator?: string;
  /** Ids of the workspaces that may sign in. Empty or absent: any. */
  readonly allowedWorkspaceIds?: ReadonlyArray<string>;
  /** The workspace to sign in to. Name it in `allowedWorkspaceIds` as well, so that no other one is accepted. */
  readonly workspace?: SignInWorkspace;
  /** The name of the program, shown on the pages of the callback server. Default `agent-auth`. */
  readonly applicationName?: string;
  /** Milliseconds to wait for the browser's callback. Default 15 minutes. */
  readonly timeoutMs?: number;
  /** Loopback ports, in order of preference; 0 means any free one. Default 1455, then 1457. */
  readonly ports?: ReadonlyArray<number>;
  /** Milliseconds to wait for another sign-in to release the first port. Default 2000. */
  readonly portRetryMs?: number;
  /** The last page that the browser is sent to, without any parameters. Default: one of the callback server. */
  readonly successUrl?: string;
  /** Milliseconds to wait for the browser to fetch the last page, after the callback was answered. Default 2000. */
  readonly successPageTimeoutMs?: number;
  /** Shows the sign-in URL to the person. Called once the callback server listens, before the browser is opened. */
  readonly onAuthorizeUrl: (prompt: AuthorizePrompt) => Effect.Effect<void>;
  /**
   * Opens a browser with this link. It is a link to the callback server, which redirects to the sign-in page, so it is
   * safe in the arguments of a process (see docs/decisions/0040-sign-in-link.md). If this fails, the sign-in continues.
   */
  readonly openBrowser?: (link: string) => Effect.Effect<void, unknown>;
  /** Called if `openBrowser` fails: the person has to open the sign-in URL. */
  readonly onBrowserFailed?: () => Effect.Effect<void>;
  /** Called for each callback that was rejected because of its `state`. The sign-in continues. */
  readonly onRejectedCallback?: () => void;
  /**
   * Saves the tokens before the browser is told that the sign-in succeeded. If it fails, the sign-in fails with its
   * error. It is not interrupted. Without `save`, the caller saves the returned tokens, after the browser has shown the
   * success page.
   */
  readonly save?: (tokens: ChatgptTokens) => Effect.Effect<unknown, E, R>;
}

const defaultPorts = [1455, 1457];
const defaultTimeoutMs = 15 * 60_000;
const defaultWaitMs = 2_000;

/**
 * Signs a person in through the browser and returns the tokens, whose claims are not verified: authorization code with
 * PKCE and a loopback redirect (RFC 8252, RFC 7636, docs/protocol.md §9).
 *
 * Returns after `save` has saved the tokens and the browser was answered. The callback server is closed when this Effect
 * ends for any reason: success, failure, `/cancel`, interruption or timeout. A sign-in that fails has saved nothing.
 *
 * @example
 * ```ts
 * import { layer as httpClient } from "@agent-auth/login/http";
 * import { signInWithBrowser } from "@agent-auth/login/oauth/browser";
 * import * as Effect from "effect/Effect";
 *
 * const signIn = signInWithBrowser({
 *   ports: [0],
 *   timeoutMs: 100, // the default of 15 minutes is meant for people
 *   onAuthorizeUrl: ({ url }) => Effect.sync(() => void url), // show it
 * }).pipe(Effect.provide(httpClient({})));
 *
 * const result = await Effect.runPromise(Effect.result(signIn));
 * if (result._tag === "Failure") result.failure.code; // "LOGIN_SIGN_IN_TIMED_OUT"
 * ```
 */
export const signInWithBrowser = <E = never, R = never>(
  options: BrowserSignInOptions<E, R>,
): Effect.Effect<ChatgptTokens, SignInError | E, HttpTransport | R> =>
  Effect.scoped(
    Effect.gen(function* () {
      const session = yield* Effect.flatMap(parseAuthority(options), openOAuthSession);
      const flow: Flow<E, R> = {
        options,
        session,
        state: yield* randomSecret(32),
        codeVerifier: yield* randomSecret(64),
        allowedWorkspaceIds: (options.allowedWorkspaceIds ?? []).flatMap((id) => id.trim() || []),
      };
      let rejectedCallbacks = 0;
      const server = yield* openCallbackServer({
        state: flow.state,
        linkSecret: yield* randomSecret(32),
        applicationName: options.applicationName ?? "agent-auth",
        ports: options.ports ?? defaultPorts,
        portRetryMs: options.portRetryMs ?? defaultWaitMs,
        ...compact({ successUrl: options.successUrl }),
        onRejectedCallback: () => {
          rejectedCallbacks += 1;
          options.onRejectedCallback?.();
        },
      });
      yield* showSignInUrl(flow, server);
      const limitMs = options.timeoutMs ?? defaultTimeoutMs;
      const callback = yield* server.handler.callback.pipe(
        Effect.raceFirst(server.handler.cancelled),
        Effect.timeoutOrElse({
          duration: limitMs,
          orElse: () =>
            Effect.fail(
              rejectedCallbacks > 0
                ? new SignInStateMismatch({ rejectedCallbacks })
                : new SignInTimedOut({ limitMs }),
            ),
        }),
      );
      return yield* completeSignIn(flow, server, callback);
    }),
  ).pipe(Effect.withSpan("signInWithBrowser"));

interface Flow<E, R> {
  readonly options: BrowserSignInOptions<E, R>;
  readonly session: OAuthSession;
  readonly state: string;
  readonly codeVerifier: string;
  readonly allowedWorkspaceIds: ReadonlyArray<string>;
}

/** Shows the sign-in URL, then starts to open a browser without waiting for it. */
const showSignInUrl = Effect.fnUntraced(function* <E, R>(flow: Flow<E, R>, server: CallbackServer) {
  const { options, session } = flow;
  const { handler, redirectUri } = server;
  const codeChallenge = yield* Effect.promise(() =>
    session.oauth.calculatePKCECodeChallenge(flow.codeVerifier),
  );
  const url = authorizeUrl({
    issuer: session.authority.issuer,
    clientId: session.authority.clientId,
    redirectUri,
    codeChallenge,
    state: flow.state,
    originator: options.originator ?? "codex_cli_rs",
    allowedWorkspaceIds: flow.allowedWorkspaceIds,
    ...compact({ workspace: options.workspace }),
  });
  const nowMs = yield* Clock.currentTimeMillis;
  const expiresAtMs = nowMs + (options.timeoutMs ?? defaultTimeoutMs);
  yield* options.onAuthorizeUrl({ url, redirectUri, expiresAtMs });
  if (options.openBrowser === undefined) return;
  yield* options.openBrowser(new URL(handler.linkTo(url), redirectUri).href).pipe(
    Effect.catchCause(() => options.onBrowserFailed?.() ?? Effect.void),
    Effect.forkScoped,
  );
});

/** Exchanges the callback's code for tokens and saves them. The browser always gets a response. */
const completeSignIn = <E, R>(
  flow: Flow<E, R>,
  { handler, redirectUri }: CallbackServer,
  callback: URLSearchParams,
): Effect.Effect<ChatgptTokens, SignInError | E, HttpTransport | R> =>
  Effect.gen(function* () {
    const tokens = yield* fetchTokens(flow, redirectUri, callback).pipe(
      Effect.raceFirst(handler.cancelled),
      Effect.tap(() => handler.commit),
      Effect.tapError((error) => handler.fail(contentForError(error))),
    );
    yield* save(flow, handler, tokens);
    const timeoutMs = flow.options.successPageTimeoutMs ?? defaultWaitMs;
    yield* Effect.timeoutOption(handler.successShown, timeoutMs);
    return tokens;
  });

const fetchTokens = Effect.fnUntraced(function* <E, R>(
  { allowedWorkspaceIds, codeVerifier, session, state }: Flow<E, R>,
  redirectUri: string,
  callback: URLSearchParams,
): Effect.fn.Return<ChatgptTokens, SignInError, HttpTransport> {
  const parameters = yield* validateAuthorizationResponse(session, callback, state);
  const code = { parameters, redirectUri, codeVerifier };
  const tokens = yield* exchangeCode(session, code, allowedWorkspaceIds);
  const apiKey = yield* requestApiKey(session, tokens.idToken);
  return compact({ ...tokens, apiKey });
});

/** Saves the tokens and answers the browser, uninterrupted: once saved, the sign-in is not reported as cancelled. */
const save = <E, R>(
  flow: Flow<E, R>,
  handler: CallbackHandler,
  tokens: ChatgptTokens,
): Effect.Effect<void, E, R> =>
  (flow.options.save?.(tokens) ?? Effect.void).pipe(
    Effect.tapError(() => handler.fail(notSaved)),
    Effect.andThen(handler.succeed),
    Effect.uninterruptible,
  );
