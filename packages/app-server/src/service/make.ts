import { arch, platform, release, type } from "node:os";
import { accountBackendUrl } from "@agent-auth/agent-identity/urls";
import { hasWorkloadIdentity } from "@agent-auth/login/config/environment";
import type { Credential } from "@agent-auth/login/credential";
import { LoginInputInvalid, type LoginError } from "@agent-auth/login/errors";
import { resolveProvider } from "@agent-auth/model-provider/provider";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import type * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import * as Stream from "effect/Stream";
import {
  type AccountServiceError,
  ExternalAuthActive,
  HostOwnsAuth,
  WorkspaceSwitchRefused,
} from "../errors/index.ts";
import {
  authModeOf,
  isSameSignIn,
  noAccount,
  otherProvider,
  signedInAs,
  signedOut,
  tokenOf,
  unusable,
  updatedTo,
  workspaceOf,
} from "./account-info.ts";
import { makeBackend } from "./backend.ts";
import { makeEventSource } from "./events.ts";
import { makeLending } from "./lent-tokens.ts";
import { makeLoginSessions } from "./login-sessions.ts";
import type { AccountManager, AccountServiceOptions, AccountServiceShape } from "./types.ts";

/** Builds an account service over a manager. It holds no process-wide state. Fails if the provider is misconfigured. */
export const makeAccountService = Effect.fnUntraced(function* (
  manager: AccountManager,
  options: AccountServiceOptions,
): Effect.fn.Return<AccountServiceShape, AccountServiceError, Scope.Scope> {
  const { config, environment } = options;
  const hostOwnsAuth = options.hostOwnsAuth ?? hasWorkloadIdentity(environment, config);
  const scope = yield* Effect.scope;
  const provider = yield* Effect.fromResult(
    resolveProvider({ config, environment, allowInsecureHttp: options.allowInsecureHttp ?? false }),
  );
  const base = yield* accountBackendUrl(config.chatgptBaseUrl, {
    allowInsecureHttp: options.allowInsecureHttp ?? false,
  });
  const requiresOpenaiAuth = provider.auth._tag === "SignedIn";
  const source = makeEventSource();
  let firstClient: string | undefined;
  const originator = () =>
    environment.originator ?? options.originator ?? firstClient ?? "codex_cli_rs";

  const turns = Semaphore.makeUnsafe(1);
  /** Runs operations one after another, in the order in which they were started. */
  const inOrder = <A, E>(operation: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    turns.withPermit(operation);

  // The credential that clients know of; `undefined` before the first operation. A change that no operation here made is
  // another program's, or a refresh.
  const snapshot = (): Credential | null => Option.getOrNull(manager.snapshot());
  let announced: Credential | null | undefined;
  const announce = (): void => {
    const now = snapshot();
    announced = now;
    routed = now;
    source.emit({ method: "account/updated", params: updatedTo(now) });
  };
  /** The sign-in whose workspace clients know of. */
  let routed: Credential | null = null;
  /** Tells clients that the backend was asked about the workspace of a sign-in for the first time. */
  const announceRouting = (credential: Credential | null): void => {
    if (credential === null || workspaceOf(credential) === undefined) return;
    if (isSameSignIn(routed, credential)) return;
    routed = credential;
    source.emit({
      method: "account/updated",
      params: { ...updatedTo(credential), reason: "workspaceRoutingReady" },
    });
  };
  /** After an operation that may have refreshed the credential: clients asked for that, so there is nothing to tell. */
  const adoptRefresh = (): void => {
    const now = snapshot();
    if (announced === undefined || isSameSignIn(announced, now)) announced = now;
  };
  let loginsBeingStored = 0;
  const announceChange = (): void => {
    const now = snapshot();
    if (loginsBeingStored > 0 || now === announced) return;
    // Tokens that no client is given, or that their owner renewed.
    const isQuiet = now?._tag === "ExternalChatgpt" || now?._tag === "WorkloadIdentity";
    const isRenewed = isQuiet && isSameSignIn(announced ?? null, now);
    if (isRenewed) announced = now;
    else announce();
  };
  /** A login that is being stored announces its credential itself, after `account/login/completed`. */
  const whileStored = <A, E>(stored: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      loginsBeingStored += 1;
      return Effect.ensuring(
        stored,
        Effect.sync(() => {
          loginsBeingStored -= 1;
          announceChange();
        }),
      );
    });
  yield* Effect.forkIn(
    Stream.runForEach(manager.changes, () => inOrder(Effect.sync(announceChange))),
    scope,
    { startImmediately: true },
  );

  const lending = makeLending({
    manager,
    config,
    scope,
    keep: options.keepLentTokens ?? false,
  });
  const completed = (loginId: string | null, error: string | null): void =>
    source.emit({
      method: "account/login/completed",
      params: { loginId, success: error === null, error, onboardingEntrypoint: null },
    });
  const sessions = makeLoginSessions({
    manager,
    options,
    scope,
    originator,
    whileStored,
    onCompleted: (loginId, error) => {
      completed(loginId, error);
      if (error === null) announce();
    },
  });

  let arrivals = 0;
  let lastForced: { readonly covers: number; readonly error: LoginError | null } | undefined;
  /** Refreshes a ChatGPT sign-in. Callers that asked before the last such refresh ended share its outcome. */
  const forceRefresh = Effect.fnUntraced(function* (
    arrival: number,
    arrivedAtMs: number,
  ): Effect.fn.Return<LoginError | null> {
    if (lastForced !== undefined && arrival <= lastForced.covers) return lastForced.error;
    const loaded = yield* Effect.option(manager.current);
    const credential = Option.getOrNull(Option.flatten(loaded)) ?? snapshot();
    if (credential?._tag !== "Chatgpt") return null;
    // It was due, or another program refreshed it, since the call.
    const isFresh = (credential.lastRefreshMs ?? 0) >= arrivedAtMs;
    const refreshed = yield* Effect.result(
      isFresh ? Effect.succeed(credential) : manager.refresh("forced"),
    );
    const error = Result.isFailure(refreshed) ? refreshed.failure : null;
    lastForced = { covers: arrivals, error };
    return error;
  });

  /** The credential that a request would carry, null if there is none, or why it cannot be used. */
  const currentFor = (refreshToken: boolean): Effect.Effect<Credential | null, LoginError> =>
    Effect.clockWith((clock) => {
      const arrival = ++arrivals;
      const current = Effect.tap(Effect.map(manager.current, Option.getOrNull), (credential) =>
        Effect.sync(() => announceRouting(credential)),
      );
      if (!refreshToken) return inOrder(Effect.ensuring(current, Effect.sync(adoptRefresh)));
      return inOrder(
        Effect.flatMap(forceRefresh(arrival, clock.currentTimeMillisUnsafe()), (error) =>
          error?._tag === "RefreshRejected" ? Effect.fail(error) : current,
        ).pipe(Effect.ensuring(Effect.sync(adoptRefresh))),
      );
    });

  const refuseIfHostOwns = hostOwnsAuth ? Effect.fail(new HostOwnsAuth()) : Effect.void;
  const refuseIfLent = Effect.suspend(() =>
    lending.isActive() ? Effect.fail(new ExternalAuthActive()) : Effect.void,
  );
  const backend = makeBackend({
    base,
    options,
    manager,
    originator,
    run: Effect.runPromiseWith(yield* Effect.context()),
    current: currentFor(false),
  });
  yield* Effect.addFinalizer(() => backend.close);

  return {
    ...backend.methods,
    read: ({ refreshToken = false } = {}) =>
      requiresOpenaiAuth
        ? Effect.match(currentFor(refreshToken), {
            onFailure: (error) => noAccount(unusable(error), true),
            onSuccess: (credential) =>
              credential === null
                ? noAccount(signedOut, true)
                : signedInAs(credential, config.chatgptBaseUrl),
          })
        : Effect.succeed(noAccount(otherProvider, false)),
    authStatus: ({ includeToken = false, refreshToken = false } = {}) =>
      requiresOpenaiAuth
        ? Effect.match(currentFor(refreshToken), {
            // Codex names the credential that it cannot use as well.
            onFailure: () => ({
              authMethod: authModeOf(snapshot()),
              authToken: null,
              requiresOpenaiAuth,
            }),
            onSuccess: (credential) => ({
              authMethod: authModeOf(credential),
              authToken: includeToken && credential !== null ? tokenOf(credential) : null,
              requiresOpenaiAuth,
            }),
          })
        : Effect.succeed({ authMethod: null, authToken: null, requiresOpenaiAuth }),
    startLogin: (request) =>
      inOrder(
        Effect.gen(function* () {
          yield* refuseIfHostOwns;
          yield* refuseIfLent;
          switch (request.type) {
            case "apiKey":
              yield* manager.checkLogin("apiKey");
              yield* refuseEmpty(request.apiKey);
              yield* sessions.cancelPending;
              yield* manager.loginWithApiKey(request.apiKey);
              completed(null, null);
              announce();
              return { type: "apiKey" };
            case "chatgpt":
              return yield* sessions.startBrowser({
                useHostedSuccessPage: request.useHostedSuccessPage ?? false,
              });
            case "chatgptDeviceCode":
              return yield* sessions.startDevice;
          }
        }),
      ),
    cancelLogin: (loginId) => inOrder(sessions.cancel(loginId)),
    logout: inOrder(
      Effect.gen(function* () {
        yield* refuseIfHostOwns;
        yield* sessions.cancelPending;
        yield* manager.logout;
        lending.forget();
        const now = snapshot();
        announced = now;
        source.emit({ method: "account/updated", params: updatedTo(now, null) });
      }),
    ),
    lendTokens: (tokens, owner) =>
      inOrder(
        Effect.gen(function* () {
          yield* refuseIfHostOwns;
          yield* lending.check(tokens);
          yield* sessions.cancelPending;
          yield* Effect.tapError(lending.use(tokens, owner), () => Effect.sync(adoptRefresh));
          completed(null, null);
          announce();
        }),
      ),
    releaseOwner: (owner) =>
      inOrder(
        Effect.map(lending.release(owner), (ended) => {
          if (ended) announce();
        }),
      ),
    switchSession: ({ accountId, sessionId }) =>
      Effect.gen(function* () {
        yield* refuseIfHostOwns;
        if (accountId === "") return yield* refuseSwitch("accountId must not be empty");
        const { activeSessionId, sessions: found } = yield* backend.methods.sessions();
        if (activeSessionId === null || activeSessionId !== sessionId)
          return yield* refuseSwitch("Only the active managed account session can be switched");
        if (sessions.isPending())
          return yield* refuseSwitch(
            "Finish or cancel the current login before switching workspaces",
          );
        if (found[0]?.selectedWorkspaceAccountId !== accountId) {
          const all = yield* backend.methods.sessions({ refreshWorkspaceMetadata: true });
          const isKnown = all.sessions[0]?.workspaces.some((one) => one.accountId === accountId);
          if (isKnown !== true) return yield* refuseSwitch("The selected workspace is unavailable");
          yield* inOrder(Effect.map(manager.switchWorkspace(accountId), announce));
        }
        return yield* backend.methods.sessions();
      }),
    events: source.events,
    listen: source.listen,
    describe: ({ name, version }) => {
      firstClient ??= name;
      const system = `${type()} ${release()}; ${arch()}`;
      return {
        userAgent: `${originator()}/${options.version ?? "0.0.0"} (${system}) unknown (${name}; ${version})`,
        codexHome: environment.codexHome.path,
        platformFamily: platform() === "win32" ? "windows" : "unix",
        platformOs: platformNames[platform()] ?? platform(),
      };
    },
  };
});

const refuseSwitch = (reason: string) => Effect.fail(new WorkspaceSwitchRefused({ reason }));

/** Before the pending login is cancelled for it. */
const refuseEmpty = (apiKey: Redacted.Redacted): Effect.Effect<void, LoginInputInvalid> =>
  Redacted.value(apiKey).trim() === ""
    ? Effect.fail(new LoginInputInvalid({ what: "API key", reason: "it is empty" }))
    : Effect.void;

const platformNames: Partial<Record<NodeJS.Platform, string>> = {
  darwin: "macos",
  win32: "windows",
};
