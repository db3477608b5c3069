import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { ChatgptTokens } from "../manager/index.ts";
import { SignInStateMismatch, SignInTimedOut, type SignInError } from "../errors/oauth.ts";
import { readAuthorizationAnswer } from "./authorization-response.ts";
import { authorizeUrl } from "./authorize-url.ts";
import { parseAuthority, type AuthorityOptions } from "./authority.ts";
import type { CallbackHandler } from "./callback/handler.ts";
import { openCallbackServer, type CallbackServer } from "./callback/server.ts";
import { openOAuthSession, type OAuthSession } from "./oauth-library.ts";
import { contentForError, notSaved } from "./pages/contents.ts";
import { generateCodeVerifier } from "./secrets.ts";
import { exchangeCode } from "./code-exchange.ts";

/** What a person has to open. */
export interface AuthorizePrompt {
  readonly url: string;
  readonly redirectUri: string;
  /** When the callback server goes away, milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

export interface BrowserSignInOptions<E = never, R = never> extends AuthorityOptions {
  /** Who asks; sent with the authorize URL, and by the Promise face with each request. Default `codex_cli_rs`. */
  readonly originator?: string;
  /** Ids of the workspaces that may sign in. Empty or absent: any. */
  readonly allowedWorkspaceIds?: ReadonlyArray<string>;
  /** In whose name the pages speak. Default `agent-auth`. */
  readonly applicationName?: string;
  /** Milliseconds to wait for the browser to come back. Default 15 minutes. */
  readonly timeLimitMs?: number;
  /** Loopback ports, in order of preference; 0 means any free one. Default 1455, then 1457. */
  readonly ports?: ReadonlyArray<number>;
  /** Milliseconds that another sign-in gets to let go of the first port. Default 2000. */
  readonly portPatienceMs?: number;
  /** Milliseconds that the browser gets to fetch the last page once it has its answer. Default 2000. */
  readonly successPageMs?: number;
  /** Shown to the person before the browser is opened; the callback server is listening by then. */
  readonly onAuthorizeUrl: (prompt: AuthorizePrompt) => Effect.Effect<void>;
  /** Opens the URL. A failure only means that the person has to open it; `onBrowserFailed` hears of it. */
  readonly openBrowser?: (url: string) => Effect.Effect<void, unknown>;
  readonly onBrowserFailed?: () => Effect.Effect<void>;
  /** A callback with a foreign `state` was refused; the sign-in goes on. */
  readonly onRefusedCallback?: () => void;
  /**
   * Keeps the tokens, before the browser is told that all is well. Its failure is the sign-in's failure. It is not
   * interrupted half-way. Without it the caller keeps what comes back, and the page has promised too much if that
   * fails.
   */
  readonly save?: (tokens: ChatgptTokens) => Effect.Effect<unknown, E, R>;
}

const DEFAULT_PORTS = [1455, 1457];
const DEFAULT_TIME_LIMIT_MS = 15 * 60_000;
const DEFAULT_GRACE_MS = 2_000;

/**
 * Signs a person in through the browser: authorization code with PKCE, answered on loopback (RFC 8252, RFC 7636;
 * docs/protocol.md §9). Comes back with the tokens, whose claims nobody has verified, after `save` has kept them and
 * the browser has been answered; the browser need not fetch the last page. The callback server is gone when this
 * Effect ends, however it ends: done, failed, cancelled through `/cancel`, interrupted, or after the time limit. A
 * sign-in that fails has saved nothing.
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
        state: session.oauth.generateRandomState(),
        codeVerifier: generateCodeVerifier(),
        allowedWorkspaceIds: (options.allowedWorkspaceIds ?? []).flatMap((id) => id.trim() || []),
      };
      let refusedCallbacks = 0;
      const server = yield* openCallbackServer({
        state: flow.state,
        applicationName: options.applicationName ?? "agent-auth",
        ports: options.ports ?? DEFAULT_PORTS,
        patienceMs: options.portPatienceMs ?? DEFAULT_GRACE_MS,
        onRefused: () => {
          refusedCallbacks += 1;
          options.onRefusedCallback?.();
        },
      });
      yield* invite(flow, server);
      const limitMs = options.timeLimitMs ?? DEFAULT_TIME_LIMIT_MS;
      const parameters = yield* server.desk.parameters.pipe(
        Effect.raceFirst(server.desk.cancelled),
        Effect.timeoutOrElse({
          duration: limitMs,
          orElse: () =>
            Effect.fail(
              refusedCallbacks > 0
                ? new SignInStateMismatch({ refusedCallbacks })
                : new SignInTimedOut({ limitMs }),
            ),
        }),
      );
      return yield* finish(flow, server, parameters);
    }),
  ).pipe(Effect.withSpan("signInWithBrowser"));

interface Flow<E, R> {
  readonly options: BrowserSignInOptions<E, R>;
  readonly session: OAuthSession;
  readonly state: string;
  readonly codeVerifier: string;
  readonly allowedWorkspaceIds: ReadonlyArray<string>;
}

/** Shows the URL, then tries to open it, without waiting for a browser that takes its time. */
const invite = Effect.fnUntraced(function* <E, R>(flow: Flow<E, R>, server: CallbackServer) {
  const { options, session } = flow;
  const codeChallenge = yield* Effect.promise(() =>
    session.oauth.calculatePKCECodeChallenge(flow.codeVerifier),
  );
  const url = authorizeUrl({
    issuer: session.authority.issuer,
    clientId: session.authority.clientId,
    redirectUri: server.redirectUri,
    codeChallenge,
    state: flow.state,
    originator: options.originator ?? "codex_cli_rs",
    allowedWorkspaceIds: flow.allowedWorkspaceIds,
  });
  const nowMs = yield* Clock.currentTimeMillis;
  const expiresAtMs = nowMs + (options.timeLimitMs ?? DEFAULT_TIME_LIMIT_MS);
  yield* options.onAuthorizeUrl({ url, redirectUri: server.redirectUri, expiresAtMs });
  if (options.openBrowser === undefined) return;
  yield* options.openBrowser(url).pipe(
    Effect.catchCause(() => options.onBrowserFailed?.() ?? Effect.void),
    Effect.forkScoped,
  );
});

/** From the callback to the tokens; whatever happens, the browser is told. */
const finish = <E, R>(
  flow: Flow<E, R>,
  { desk, redirectUri }: CallbackServer,
  callback: URLSearchParams,
): Effect.Effect<ChatgptTokens, SignInError | E, HttpTransport | R> =>
  Effect.gen(function* () {
    const tokens = yield* readAuthorizationAnswer(flow.session, callback, flow.state).pipe(
      Effect.flatMap((parameters) =>
        exchangeCode(
          flow.session,
          { parameters, redirectUri, codeVerifier: flow.codeVerifier },
          flow.allowedWorkspaceIds,
        ),
      ),
      Effect.raceFirst(desk.cancelled),
      Effect.tap(() => desk.commit),
      Effect.tapError((error) => desk.fail(contentForError(error))),
    );
    yield* save(flow, desk, tokens);
    yield* Effect.timeoutOption(desk.successShown, flow.options.successPageMs ?? DEFAULT_GRACE_MS);
    return tokens;
  });

/** Keeps the tokens and tells the browser, without a gap: what was kept is not called cancelled. */
const save = <E, R>(
  flow: Flow<E, R>,
  desk: CallbackHandler,
  tokens: ChatgptTokens,
): Effect.Effect<void, E, R> =>
  (flow.options.save?.(tokens) ?? Effect.void).pipe(
    Effect.tapError(() => desk.fail(notSaved)),
    Effect.andThen(desk.succeed),
    Effect.uninterruptible,
  );
