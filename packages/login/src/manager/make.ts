import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import { overridingEnvVar } from "../config/environment.ts";
import type { Credential } from "../credential/index.ts";
import type { LoginError } from "../errors/index.ts";
import { NetworkKey } from "../http/network-key.ts";
import { markUnreported, refreshNow } from "./current.ts";
import type { ManagerDeps, Operation } from "./deps.ts";
import { makeNextCredential, type NextCredential } from "./next-credential.ts";
import { type ManagerServices, openDeps } from "./open-deps.ts";
import { makeRecoveryWarning, recoverFrom, recoveryKey, supersededBy } from "./recover.ts";
import { makeReload, makeShared } from "./shared-operations.ts";
import { type AuthManagerOptions, type AuthManagerShape, codexHomeOf } from "./types.ts";
import { makeWorkspaceGate } from "./workspace-gate.ts";

/** Builds the `AuthManager` service. */
export const makeAuthManager = Effect.fnUntraced(function* (
  options: AuthManagerOptions,
): Effect.fn.Return<AuthManagerShape, never, ManagerServices> {
  // `"false"`, as from a variable, would otherwise count as true.
  if (typeof options.environmentCredentials !== "boolean")
    throw new TypeError("environmentCredentials must be true or false");
  const deps = yield* openDeps(options);
  const transport = yield* HttpTransport;
  const run = <A>(operation: Operation<A>): Effect.Effect<A, LoginError> =>
    Effect.provideService(operation, HttpTransport, transport);

  const shared = yield* makeShared(run);
  const reload = makeReload(deps, shared);
  const next = makeNextCredential(deps, { reload, shared });
  const warnOfRecovery = makeRecoveryWarning();
  const recover = (rejected: Credential) =>
    Effect.suspend(() => {
      const newer = supersededBy(deps, rejected);
      if (Option.isSome(newer)) return Effect.succeed(newer);
      const recovery = Effect.tapError(recoverFrom(deps, rejected), warnOfRecovery);
      return shared(`recover ${recoveryKey(rejected)}`, recovery);
    });
  const gate = makeWorkspaceGate({
    deps,
    network: Option.getOrUndefined(yield* Effect.serviceOption(NetworkKey)),
    shared,
    recover,
  });
  const snapshot: AuthManagerShape["snapshot"] = () => {
    const state = deps.state.get();
    return state._tag === "Loaded" ? state.credential : Option.none();
  };
  yield* startTasks(deps, reload, next);
  return {
    current: Effect.flatMap(next.loaded, gate.pass),
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
      const mine = yield* requireOwnSignIn(deps, yield* next.loaded);
      const { list } = yield* gate.checks;
      return yield* run(list(mine));
    }),
    switchWorkspace: (workspaceId) =>
      Effect.gen(function* () {
        const { switchWorkspace } = yield* switching;
        return yield* run(switchWorkspace(deps, yield* next.loaded, workspaceId));
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

/** Follows the store, loads at the start and keeps the credential fresh, as far as the options ask for it. */
const startTasks = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  reload: NextCredential["loaded"],
  { loaded, refreshDue }: NextCredential,
): Effect.fn.Return<void, never, Scope.Scope> {
  const { options } = deps;
  const isStoreUsed = overridingEnvVar(options.environment, options) === undefined;
  if (options.followStore === true && isStoreUsed) {
    const { followStore } = yield* Effect.promise(() => import("./follow-store.ts"));
    const { runInBackground } = yield* background;
    const codexHome = codexHomeOf(options);
    yield* runInBackground(yield* followStore({ codexHome, reload, store: deps.store }));
  }
  if (options.loadAtStart !== false) {
    yield* Effect.ignore(loaded);
    markUnreported(deps);
  }
  if (options.keepFresh === true) {
    const { keepFresh } = yield* Effect.promise(() => import("./keep-fresh.ts"));
    const { runInBackground } = yield* background;
    yield* runInBackground(keepFresh({ reload, refreshIfDue: refreshDue, state: deps.state }));
  }
});

// A program that only sends requests does not need these.
const login = Effect.promise(() => import("./login.ts"));
const loggingOut = Effect.promise(() => import("./logout.ts"));
const switching = Effect.promise(() => import("./switch-workspace.ts"));
const inspecting = Effect.promise(() => import("./inspect.ts"));
const background = Effect.promise(() => import("./background.ts"));
