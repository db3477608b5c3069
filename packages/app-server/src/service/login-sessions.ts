import { randomUUID } from "node:crypto";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import type { LoginError } from "@agent-auth/login/errors";
import { SignInCancelled } from "@agent-auth/login/errors";
import type { ChatgptTokens } from "@agent-auth/login/manager";
import * as Cause from "effect/Cause";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Redacted from "effect/Redacted";
import type * as Scope from "effect/Scope";
import {
  type AccountServiceError,
  DeviceCodeLoginNotEnabled,
  DeviceCodeUnavailable,
  InvalidLoginId,
  LoginServerPortTaken,
} from "../errors/index.ts";
import { cancelledText, failedText, type LoginKind, takenOverText } from "./completed-text.ts";
import type { AccountManager, AccountServiceOptions, LoginStarted } from "./types.ts";

/** The logins of a service, of which one is pending at a time. */
export interface LoginSessions {
  readonly startBrowser: (options: {
    readonly useHostedSuccessPage: boolean;
  }) => Effect.Effect<LoginStarted, AccountServiceError>;
  readonly startDevice: Effect.Effect<LoginStarted, AccountServiceError>;
  readonly cancel: (
    loginId: string,
  ) => Effect.Effect<{ readonly status: "canceled" | "notFound" }, InvalidLoginId>;
  readonly isPending: () => boolean;
  /** Cancels the pending login, for a login of another kind or a logout. Waits if its tokens are being stored. */
  readonly cancelPending: Effect.Effect<void>;
}

interface LoginSessionsOptions {
  readonly manager: AccountManager;
  readonly options: AccountServiceOptions;
  readonly scope: Scope.Scope;
  readonly originator: () => string;
  /** Runs the part of a login that stores its credential and reports its end. */
  readonly whileStored: <A, E>(stored: Effect.Effect<A, E>) => Effect.Effect<A, E>;
  /** A login ended. `error` is null if its credential was stored. */
  readonly onCompleted: (loginId: string, error: string | null) => void;
}

interface Session {
  readonly loginId: string;
  readonly kind: LoginKind;
  /** `storing`: too late to cancel. */
  state: "open" | "cancelled" | "storing" | "over";
  readonly stored: Deferred.Deferred<void>;
  fiber?: Fiber.Fiber<unknown, unknown>;
}

const codexHostedPage = "https://chatgpt.com/codex/open-app";
const defaultTimeoutMs = 10 * 60_000;

export const makeLoginSessions = (deps: LoginSessionsOptions): LoginSessions => {
  const { manager, onCompleted, originator, scope, whileStored } = deps;
  const { allowInsecureHttp = false, config, environment, login = {} } = deps.options;
  let pending: Session | undefined;
  /** The last browser login, which may still hold its port to show the last page. */
  let lastBrowser: Session | undefined;

  const withHttp = <A, E>(signIn: Effect.Effect<A, E, HttpTransport>): Effect.Effect<A, E> =>
    Effect.flatMap(httpModule, ({ layer }) =>
      Effect.provide(signIn, layer(environment, { originator: originator(), allowInsecureHttp })),
    );
  const issuerVariable = environment.variable("CODEX_APP_SERVER_LOGIN_ISSUER");
  const issuer = login.issuer ?? (issuerVariable && Redacted.value(issuerVariable));
  const authority = {
    ...(issuer === undefined ? {} : { issuer }),
    ...(login.clientId === undefined ? {} : { clientId: login.clientId }),
    allowInsecureHttp,
    allowedWorkspaceIds: config.forcedWorkspaceIds ?? [],
  };

  const store = (session: Session, tokens: ChatgptTokens): Effect.Effect<void, LoginError> =>
    Effect.suspend((): Effect.Effect<void, LoginError> => {
      if (session.state !== "open") return new SignInCancelled();
      session.state = "storing";
      return Effect.asVoid(manager.loginWithChatgptTokens(tokens));
    }).pipe(
      Effect.tap(() => Effect.sync(() => finish(session, null))),
      whileStored,
      Effect.ensuring(Deferred.succeed(session.stored, undefined)),
      Effect.uninterruptible,
    );

  const finish = (session: Session, error: string | null): void => {
    if (session.state === "over") return;
    session.state = "over";
    if (pending === session) pending = undefined;
    onCompleted(session.loginId, error);
  };

  /** Runs a sign-in in the background. Returns what the person has to open, or why there is nothing to open. */
  const start = Effect.fnUntraced(function* <A>(
    kind: LoginKind,
    signIn: (
      session: Session,
      shown: (what: A) => Effect.Effect<void>,
    ) => Effect.Effect<unknown, LoginError>,
  ): Effect.fn.Return<{ readonly loginId: string; readonly shown: A }, LoginError> {
    const session: Session = {
      loginId: randomUUID(),
      kind,
      state: "open",
      stored: Deferred.makeUnsafe<void>(),
    };
    const shown = Deferred.makeUnsafe<A, LoginError>();
    const run = signIn(session, (what) => Effect.asVoid(Deferred.succeed(shown, what))).pipe(
      Effect.onExit((exit) =>
        Effect.gen(function* () {
          if (Exit.isSuccess(exit)) return;
          const error = Cause.findErrorOption(exit.cause);
          const isFirst = yield* Deferred.failCause(shown, exit.cause);
          if (isFirst) session.state = "over";
          else if (session.state !== "cancelled" && error._tag === "Some")
            finish(session, failedText(kind, error.value));
          else if (session.state !== "cancelled") finish(session, cancelledText(kind));
        }),
      ),
    );
    session.fiber = yield* Effect.forkIn(run, scope);
    pending = session;
    if (kind === "browser") lastBrowser = session;
    const what = yield* Effect.onError(Deferred.await(shown), () =>
      Effect.sync(() => {
        if (pending === session) pending = undefined;
      }),
    );
    return { loginId: session.loginId, shown: what };
  });

  /** True if it was cancelled; false if its tokens are stored by now. */
  const cancel = Effect.fnUntraced(function* (
    session: Session,
    text: string,
  ): Effect.fn.Return<boolean> {
    if (session.state === "open") {
      session.state = "cancelled";
      if (pending === session) pending = undefined;
      if (session.fiber !== undefined) yield* Fiber.interrupt(session.fiber);
      finish(session, text);
      return true;
    }
    yield* Deferred.await(session.stored);
    return false;
  });

  const cancelPending = (text: (kind: LoginKind) => string): Effect.Effect<void> =>
    Effect.suspend(() =>
      pending === undefined ? Effect.void : Effect.asVoid(cancel(pending, text(pending.kind))),
    );

  return {
    startBrowser: Effect.fnUntraced(function* ({ useHostedSuccessPage }) {
      yield* manager.checkLogin("chatgpt");
      yield* cancelPending((kind) => (kind === "browser" ? takenOverText : cancelledText(kind)));
      if (lastBrowser?.fiber !== undefined) yield* Fiber.interrupt(lastBrowser.fiber);
      const ports = login.ports ?? [1455, 1457];
      const { signInWithBrowser } = yield* Effect.promise(
        () => import("@agent-auth/login/oauth/browser"),
      );
      const { loginId, shown } = yield* start<string>("browser", (session, show) =>
        withHttp(
          signInWithBrowser<LoginError>({
            ...authority,
            ports: login.anyFreePort === true ? [...ports, 0] : ports,
            originator: originator(),
            timeoutMs: login.timeoutMs ?? defaultTimeoutMs,
            ...(login.portRetryMs === undefined ? {} : { portRetryMs: login.portRetryMs }),
            ...(login.applicationName === undefined
              ? {}
              : { applicationName: login.applicationName }),
            ...(useHostedSuccessPage ? { successUrl: codexHostedPage } : {}),
            onAuthorizeUrl: ({ url }) => show(url),
            save: (tokens) => store(session, tokens),
          }),
        ),
      ).pipe(Effect.mapError((error) => startError(error)));
      return { type: "chatgpt", loginId, authUrl: shown };
    }),
    startDevice: Effect.gen(function* () {
      yield* manager.checkLogin("chatgpt");
      yield* cancelPending(cancelledText);
      const { signInWithDeviceCode } = yield* Effect.promise(
        () => import("@agent-auth/login/oauth/device"),
      );
      const { loginId, shown } = yield* start<{
        readonly userCode: string;
        readonly verificationUrl: string;
      }>("device", (session, show) =>
        Effect.flatMap(withHttp(signInWithDeviceCode({ ...authority, onCode: show })), (tokens) =>
          store(session, tokens),
        ),
      ).pipe(Effect.mapError((error) => deviceStartError(error)));
      const { userCode, verificationUrl } = shown;
      return { type: "chatgptDeviceCode", loginId, verificationUrl, userCode };
    }),
    cancel: Effect.fnUntraced(function* (loginId) {
      if (!isUuid(loginId)) return yield* new InvalidLoginId({ loginId });
      const session = pending;
      if (session?.loginId !== loginId.toLowerCase()) return { status: "notFound" };
      const isCancelled = yield* cancel(session, cancelledText(session.kind));
      return { status: isCancelled ? "canceled" : "notFound" };
    }),
    isPending: () => pending !== undefined,
    cancelPending: cancelPending(cancelledText),
  };
};

const httpModule = Effect.promise(() => import("@agent-auth/login/http"));

const startError = (error: LoginError): AccountServiceError =>
  error._tag === "CallbackPortsTaken"
    ? new LoginServerPortTaken({ ports: error.ports.filter((port) => port !== 0) })
    : error;

const deviceStartError = (error: LoginError): AccountServiceError => {
  switch (error._tag) {
    case "DeviceCodeNotEnabled":
      return new DeviceCodeLoginNotEnabled();
    case "DeviceCodeRejected":
    case "AuthorityUnreachable":
    case "AuthorityResponseInvalid": {
      const { hint, message: reason, remedy } = error;
      return new DeviceCodeUnavailable({ hint, reason, remedy });
    }
    default:
      return error;
  }
};

const isUuid = (text: string): boolean =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text);
