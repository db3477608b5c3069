import { randomUUID } from "node:crypto";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import type { LoginError } from "@agent-auth/login/errors";
import { SignInCancelled } from "@agent-auth/login/errors";
import type { ChatgptTokens } from "@agent-auth/login/manager";
import type { SignInWorkspace } from "@agent-auth/login/oauth/browser";
import * as Cause from "effect/Cause";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Option from "effect/Option";
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
import { allowedWorkspaceIds } from "./restrictions.ts";
import { isUuid } from "./uuid.ts";
import type { WithHttp } from "./http.ts";
import type {
  AccountManager,
  AccountServiceOptions,
  StartedInBrowser,
  LoginStarted,
} from "./types.ts";

/** The logins of a service, of which one is pending at a time. */
export interface LoginSessions {
  readonly startBrowser: (options: {
    readonly useHostedSuccessPage?: boolean;
    /** The only workspace that may sign in. Default: any that the configuration allows. */
    readonly workspace?: SignInWorkspace;
  }) => Effect.Effect<StartedInBrowser, AccountServiceError>;
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
  readonly withHttp: WithHttp;
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

export const makeLoginSessions = (options: LoginSessionsOptions): LoginSessions =>
  new Logins(options);

class Logins implements LoginSessions {
  readonly #deps: LoginSessionsOptions;
  #pending: Session | undefined;
  /** The last browser login, which may still hold its port to show the last page. */
  #lastBrowser: Session | undefined;

  constructor(deps: LoginSessionsOptions) {
    this.#deps = deps;
  }

  readonly startBrowser: LoginSessions["startBrowser"] = ({ useHostedSuccessPage, workspace }) =>
    Effect.gen({ self: this }, function* () {
      const { manager, originator } = this.#deps;
      const { login = {} } = this.#deps.options;
      yield* manager.checkLogin("chatgpt");
      yield* this.#cancelPending((kind) =>
        kind === "browser" ? takenOverText : cancelledText(kind),
      );
      if (this.#lastBrowser?.fiber !== undefined) yield* Fiber.interrupt(this.#lastBrowser.fiber);
      const ports = login.ports ?? [1455, 1457];
      const { signInWithBrowser } = yield* Effect.promise(
        () => import("@agent-auth/login/oauth/browser"),
      );
      const { loginId, shown } = yield* this.#start<string>("browser", (session, show) =>
        signInWithBrowser<LoginError>({
          ...this.#authority(),
          ports: login.anyFreePort === true ? [...ports, 0] : ports,
          originator: originator(),
          timeoutMs: login.timeoutMs ?? defaultTimeoutMs,
          ...(login.portRetryMs === undefined ? {} : { portRetryMs: login.portRetryMs }),
          ...(login.applicationName === undefined
            ? {}
            : { applicationName: login.applicationName }),
          ...(useHostedSuccessPage === true ? { successUrl: codexHostedPage } : {}),
          ...(workspace === undefined ? {} : { workspace, allowedWorkspaceIds: [workspace.id] }),
          onAuthorizeUrl: ({ url }) => show(url),
          save: (tokens) => this.#store(session, tokens),
        }),
      ).pipe(Effect.mapError(startError));
      return { loginId, authUrl: shown };
    });

  get startDevice(): LoginSessions["startDevice"] {
    return Effect.gen({ self: this }, function* () {
      yield* this.#deps.manager.checkLogin("chatgpt");
      yield* this.cancelPending;
      const { signInWithDeviceCode } = yield* Effect.promise(
        () => import("@agent-auth/login/oauth/device"),
      );
      const { loginId, shown } = yield* this.#start<DeviceCode>("device", (session, show) =>
        Effect.flatMap(signInWithDeviceCode({ ...this.#authority(), onCode: show }), (tokens) =>
          this.#store(session, tokens),
        ),
      ).pipe(Effect.mapError(deviceStartError));
      const { userCode, verificationUrl } = shown;
      return { type: "chatgptDeviceCode", loginId, verificationUrl, userCode };
    });
  }

  readonly cancel: LoginSessions["cancel"] = (loginId) =>
    Effect.gen({ self: this }, function* () {
      if (!isUuid(loginId)) return yield* new InvalidLoginId({ loginId });
      const session = this.#pending;
      if (session?.loginId !== loginId.toLowerCase()) return { status: "notFound" };
      const isCancelled = yield* this.#cancel(session, cancelledText(session.kind));
      return { status: isCancelled ? "canceled" : "notFound" };
    });

  readonly isPending = (): boolean => this.#pending !== undefined;

  get cancelPending(): Effect.Effect<void> {
    return this.#cancelPending(cancelledText);
  }

  #authority() {
    const { allowInsecureHttp = false, config, environment, login = {} } = this.#deps.options;
    const variable = environment.variable("CODEX_APP_SERVER_LOGIN_ISSUER");
    const issuer = login.issuer ?? (variable && Redacted.value(variable));
    return {
      ...(issuer === undefined ? {} : { issuer }),
      ...(login.clientId === undefined ? {} : { clientId: login.clientId }),
      allowInsecureHttp,
      allowedWorkspaceIds: allowedWorkspaceIds(config) ?? [],
    };
  }

  /** Runs a sign-in in the background. Returns what the person has to open, or why there is nothing to open. */
  #start<A>(
    kind: LoginKind,
    signIn: (
      session: Session,
      show: (what: A) => Effect.Effect<void>,
    ) => Effect.Effect<unknown, LoginError, HttpTransport>,
  ): Effect.Effect<{ readonly loginId: string; readonly shown: A }, LoginError> {
    return Effect.gen({ self: this }, function* () {
      const session: Session = {
        loginId: randomUUID(),
        kind,
        state: "open",
        stored: Deferred.makeUnsafe<void>(),
      };
      const shown = Deferred.makeUnsafe<A, LoginError>();
      const run = this.#deps
        .withHttp(signIn(session, (what) => Effect.asVoid(Deferred.succeed(shown, what))))
        .pipe(
          Effect.onExit((exit) =>
            Exit.isSuccess(exit) ? Effect.void : this.#fail(session, shown, exit.cause),
          ),
        );
      session.fiber = yield* Effect.forkIn(run, this.#deps.scope);
      this.#pending = session;
      if (kind === "browser") this.#lastBrowser = session;
      const what = yield* Effect.onError(Deferred.await(shown), () =>
        Effect.sync(() => this.#forget(session)),
      );
      return { loginId: session.loginId, shown: what };
    });
  }

  #store(session: Session, tokens: ChatgptTokens): Effect.Effect<void, LoginError> {
    const { manager, whileStored } = this.#deps;
    return Effect.suspend((): Effect.Effect<void, LoginError> => {
      if (session.state !== "open") return new SignInCancelled();
      session.state = "storing";
      return Effect.asVoid(manager.loginWithChatgptTokens(tokens));
    }).pipe(
      Effect.tap(() => Effect.sync(() => this.#finish(session, null))),
      whileStored,
      Effect.ensuring(Deferred.succeed(session.stored, undefined)),
      Effect.uninterruptible,
    );
  }

  /** Reports a failure: to the caller that waits for what to open, else as the end of the login. */
  #fail<A>(
    session: Session,
    shown: Deferred.Deferred<A, LoginError>,
    cause: Cause.Cause<LoginError>,
  ): Effect.Effect<void> {
    return Effect.map(Deferred.failCause(shown, cause), (isFirst) => {
      if (isFirst) session.state = "over";
      if (isFirst || session.state === "cancelled") return;
      const text = Option.match(Cause.findErrorOption(cause), {
        onNone: () => cancelledText(session.kind),
        onSome: (error) => failedText(session.kind, error),
      });
      this.#finish(session, text);
    });
  }

  #finish(session: Session, error: string | null): void {
    if (session.state === "over") return;
    session.state = "over";
    this.#forget(session);
    this.#deps.onCompleted(session.loginId, error);
  }

  #forget(session: Session): void {
    if (this.#pending === session) this.#pending = undefined;
  }

  #cancelPending(text: (kind: LoginKind) => string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const session = this.#pending;
      return session === undefined
        ? Effect.void
        : Effect.asVoid(this.#cancel(session, text(session.kind)));
    });
  }

  /** Cancels a login. Returns false if its tokens were stored first. */
  #cancel(session: Session, text: string): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      if (session.state === "open") {
        session.state = "cancelled";
        this.#forget(session);
        if (session.fiber !== undefined) yield* Fiber.interrupt(session.fiber);
        this.#finish(session, text);
        return true;
      }
      yield* Deferred.await(session.stored);
      return false;
    });
  }
}

interface DeviceCode {
  readonly userCode: string;
  readonly verificationUrl: string;
}

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
