import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as FiberMap from "effect/FiberMap";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import { hasWorkloadIdentity, overridingEnvVar } from "../config/environment.ts";
import { isExpired } from "../credential/expiry.ts";
import type { Credential } from "../credential/index.ts";
import type { LoginError } from "../errors/index.ts";
import { isExchangeError } from "../errors/workload-identity.ts";
import { NetworkKey } from "../http/network-key.ts";
import { compact } from "../internal/compact.ts";
import { EphemeralStore, ephemeralStore } from "../storage/ephemeral.ts";
import { CredentialStore } from "../storage/index.ts";
import { HomeLock } from "../storage/lock/index.ts";
import { RefreshLock } from "../storage/lock/refresh-lock.ts";
import {
  ensureLoaded,
  loadAndAccept,
  markUnreported,
  refreshIfDue,
  refreshNow,
  savePending,
} from "./current.ts";
import type { ManagerDeps, Operation } from "./deps.ts";
import { makeExternalProviderSlot } from "./external-provider.ts";
import { makeObtainedCredentials, makeSpentTokens } from "./known-failures.ts";
import { makeRecoveryWarning, recoverFrom, recoveryKey, supersededBy } from "./recover.ts";
import { makeCredentialState, type MaybeCredential } from "./state.ts";
import { type AuthManagerOptions, type AuthManagerShape, codexHomeOf } from "./types.ts";
import { makeWorkspaceGate } from "./workspace-gate.ts";

type Needs = CredentialStore | HomeLock | HttpTransport | Scope.Scope;

/** Builds the `AuthManager` service. */
export const makeAuthManager = Effect.fnUntraced(function* (
  options: AuthManagerOptions,
): Effect.fn.Return<AuthManagerShape, never, Needs> {
  // `"false"`, as from a variable, would otherwise count as true.
  if (typeof options.environmentCredentials !== "boolean")
    throw new TypeError("environmentCredentials must be true or false");
  const deps = yield* makeDeps(options);
  const transport = yield* HttpTransport;
  const run = <A>(operation: Operation<A>): Effect.Effect<A, LoginError> =>
    Effect.provideService(operation, HttpTransport, transport);

  const running = yield* FiberMap.make<string, MaybeCredential, LoginError>();
  /** Joins the operation that runs under this key, or starts it. It continues if the caller is interrupted. */
  const shared = (key: string, operation: Operation<MaybeCredential>) =>
    Effect.suspend(() => {
      const fiber = FiberMap.getUnsafe(running, key);
      return Option.isSome(fiber)
        ? Fiber.join(fiber.value)
        : Effect.flatMap(FiberMap.run(running, key, run(operation)), Fiber.join);
    });

  const loads = Semaphore.makeUnsafe(1);
  let loadsBegun = 0;
  /** Callers can join it until it begins to read, so that no caller gets a result from before its call. */
  const reload = Effect.suspend(() =>
    shared(
      `load ${loadsBegun}`,
      loads.withPermit(
        Effect.suspend(() => {
          loadsBegun += 1;
          return loadAndAccept(deps);
        }),
      ),
    ),
  );

  let slowUntilMs = 0;
  const refreshDue = shared(
    "refresh due",
    Effect.ensuring(
      refreshIfDue(deps),
      Effect.sync(() => {
        slowUntilMs = 0;
      }),
    ),
  );
  /** The credential for the next request, before its workspace is checked. */
  const loaded: AuthManagerShape["current"] = Effect.clockWith((clock) => {
    const state = deps.state.get();
    const nowMs = clock.currentTimeMillisUnsafe();
    if (state._tag === "Loaded" && nowMs < state.dueAtMs) return state.result;
    // The workload identity pauses between exchanges by itself, so asking it again costs nothing.
    if (state._tag === "Failed")
      return isExchangeError(state.error) || state.error._tag === "StoreUnavailable"
        ? reload
        : Effect.fail(state.error);
    if (state._tag === "Unloaded") {
      return Effect.andThen(
        shared("first load", ensureLoaded(deps)),
        Effect.suspend(() => loaded),
      );
    }
    if (!Option.exists(state.credential, (credential) => !isExpired(credential, nowMs)))
      return refreshDue;
    if (nowMs < Math.max(slowUntilMs, state.failure?.retryAtMs ?? 0)) return state.result;
    const orElse = () => {
      slowUntilMs = nowMs + SLOW_AUTHORITY_MS;
      return state.result;
    };
    return Effect.timeoutOrElse(refreshDue, { duration: MAX_WAIT_MS, orElse });
  });

  const gate = makeWorkspaceGate({
    deps,
    network: Option.getOrUndefined(yield* Effect.serviceOption(NetworkKey)),
    shared,
    recover: (rejected) => recover(rejected),
  });
  const current = Effect.flatMap(loaded, gate.pass);

  const isStoreUsed = overridingEnvVar(options.environment, options) === undefined;
  const isFollowing = options.followStore === true && isStoreUsed;
  if (isFollowing) {
    const { followStore } = yield* Effect.promise(() => import("./follow-store.ts"));
    const { runInBackground } = yield* Effect.promise(() => import("./background.ts"));
    const codexHome = codexHomeOf(options);
    yield* runInBackground(yield* followStore({ codexHome, reload, store: deps.store }));
  }
  if (options.loadAtStart !== false) {
    yield* Effect.ignore(loaded);
    markUnreported(deps);
  }
  if (options.keepFresh === true) {
    const { keepFresh } = yield* Effect.promise(() => import("./keep-fresh.ts"));
    const { runInBackground } = yield* Effect.promise(() => import("./background.ts"));
    yield* runInBackground(keepFresh({ reload, refreshIfDue: refreshDue, state: deps.state }));
  }

  const warnOfRecovery = makeRecoveryWarning();
  const recover = (rejected: Credential) =>
    Effect.suspend(() => {
      const newer = supersededBy(deps, rejected);
      if (Option.isSome(newer)) return Effect.succeed(newer);
      const recovery = Effect.tapError(recoverFrom(deps, rejected), warnOfRecovery);
      return shared(`recover ${recoveryKey(rejected)}`, recovery);
    });
  const snapshot: AuthManagerShape["snapshot"] = () => {
    const state = deps.state.get();
    return state._tag === "Loaded" ? state.credential : Option.none();
  };
  return {
    current,
    reload,
    snapshot,
    requestSnapshot: () => gate.passed(snapshot()),
    inspect: Effect.flatMap(inspecting, ({ inspect }) => run(inspect(deps, gate.checks))),
    refresh: (reason) =>
      Effect.flatMap(shared("refresh", Effect.asSome(refreshNow(deps, reason))), (refreshed) =>
        Effect.orDie(Effect.fromOption(refreshed)),
      ),
    recoverUnauthorized: (rejected) => Effect.flatMap(recover(rejected), gate.passRecovered),
    checkLogin: (method) => Effect.flatMap(login, (it) => it.checkLogin(deps, method)),
    loginWithApiKey: (apiKey) =>
      run(Effect.flatMap(login, (it) => it.loginWithApiKey(deps, apiKey))),
    loginWithAccessToken: (token) =>
      run(Effect.flatMap(login, (it) => it.loginWithAccessToken(deps, token))),
    saveAccessToken: (token) => run(Effect.flatMap(login, (it) => it.saveAccessToken(deps, token))),
    loginWithChatgptTokens: (tokens) =>
      run(Effect.flatMap(login, (it) => it.loginWithChatgptTokens(deps, tokens))),
    workspaces: Effect.gen(function* () {
      const { requireOwnSignIn } = yield* switching;
      const mine = yield* requireOwnSignIn(deps, yield* loaded);
      const { list } = yield* gate.checks;
      return yield* run(list(mine));
    }),
    switchWorkspace: (workspaceId) =>
      Effect.gen(function* () {
        const { switchWorkspace } = yield* switching;
        return yield* run(switchWorkspace(deps, yield* loaded, workspaceId));
      }),
    logout: run(Effect.flatMap(loggingOut, ({ logout }) => logout(deps))),
    setExternalProvider: (provider) =>
      Effect.suspend(() => {
        deps.external.set(provider);
        deps.state.invalidate();
        return Effect.asVoid(reload);
      }),
    changes: deps.state.changes,
  };
});

/** How long a request waits for a refresh while the old credential is still valid. The refresh continues after that. */
const MAX_WAIT_MS = 2_000;
/**
 * Milliseconds after a wait that timed out in which requests do not wait at all: about the time in which an attempt
 * series fails.
 */
const SLOW_AUTHORITY_MS = 30_000;

// A program that only sends requests does not need these.
const login = Effect.promise(() => import("./login.ts"));
const loggingOut = Effect.promise(() => import("./logout.ts"));
const switching = Effect.promise(() => import("./switch-workspace.ts"));
const inspecting = Effect.promise(() => import("./inspect.ts"));

const makeDeps = Effect.fnUntraced(function* (
  options: AuthManagerOptions,
): Effect.fn.Return<ManagerDeps, never, Needs> {
  const store = yield* CredentialStore;
  const homeLock = yield* HomeLock;
  // The whole context, so that a `JwksCache` or `AgentTasks` in it is used.
  const context = yield* Effect.context<HttpTransport | Scope.Scope>();
  const refreshLock = yield* openRefreshLock;
  yield* Effect.addFinalizer(() =>
    store.hasPending()
      ? Effect.catch(savePending({ homeLock, refreshLock, store }), (error) =>
          Effect.logError(`refreshed tokens could not be saved and are lost: ${error.message}`),
        )
      : Effect.void,
  );
  const jwksCacheHome = options.keepJwksOnDisk === true ? codexHomeOf(options).path : undefined;
  const agents = yield* Effect.promise(() => import("../agents/identities.ts")).pipe(
    Effect.flatMap(({ makeAgentIdentities }) =>
      makeAgentIdentities({ ...options, ...compact({ jwksCacheHome }) }),
    ),
    Effect.provideContext(context),
    Effect.cached,
  );
  return {
    options,
    store,
    ephemeral: store.describe.mode === "ephemeral" ? store : yield* openEphemeralStore,
    homeLock,
    refreshLock,
    agents,
    external: makeExternalProviderSlot(options.externalProvider),
    ...compact({ workloadIdentity: yield* openWorkloadIdentity(options, context) }),
    state: yield* makeCredentialState,
    spentTokens: makeSpentTokens(),
    obtained: makeObtainedCredentials(),
  };
});

/** What the environment or the configuration selects. Nothing of it is imported before it is used. */
const openWorkloadIdentity = Effect.fnUntraced(function* (
  { config, environment }: AuthManagerOptions,
  context: Context.Context<Scope.Scope>,
): Effect.fn.Return<ManagerDeps["workloadIdentity"]> {
  if (!hasWorkloadIdentity(environment, config)) return undefined;
  const open = Effect.gen(function* () {
    const it = yield* Effect.promise(() => import("../workload-identity/index.ts"));
    const selected = yield* Effect.fromResult(it.workloadIdentitySettings(environment, config));
    const settings = yield* Effect.orDie(Effect.fromNullishOr(selected));
    const { sharedIdentities } = yield* Effect.promise(
      () => import("../workload-identity/shared.ts"),
    );
    const { open } = yield* Effect.provideContext(sharedIdentities, context);
    return yield* open({ settings, environment });
  });
  const identity = yield* Effect.cached(open);
  return {
    credential: Effect.flatMap(identity, ({ credential }) => credential),
    replace: (rejected) => Effect.flatMap(identity, ({ replace }) => replace(rejected)),
  };
});

/** The in-memory store for external tokens: the given one, else a new one. */
const openEphemeralStore = Effect.flatMap(
  Effect.serviceOption(EphemeralStore),
  Option.match({
    onSome: Effect.succeed,
    onNone: () => Effect.map(Layer.build(ephemeralStore), Context.get(EphemeralStore)),
  }),
);

/** The given lock, else one that excludes only the manager's own tasks. */
const openRefreshLock = Effect.flatMap(
  Effect.serviceOption(RefreshLock),
  Option.match({
    onSome: Effect.succeed,
    onNone: () => Effect.map(Layer.build(RefreshLock.layerMemory), Context.get(RefreshLock)),
  }),
);
