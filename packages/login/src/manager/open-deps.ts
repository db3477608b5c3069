import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import { hasWorkloadIdentity } from "../config/environment.ts";
import { compact } from "../internal/compact.ts";
import { EphemeralStore, ephemeralStore } from "../storage/ephemeral.ts";
import { CredentialStore } from "../storage/index.ts";
import { HomeLock } from "../storage/lock/index.ts";
import { RefreshLock } from "../storage/lock/refresh-lock.ts";
import { savePending } from "./current.ts";
import type { ManagerDeps } from "./deps.ts";
import { makeExternalProviderSlot } from "./external-provider.ts";
import { makeObtainedCredentials, makeSpentTokens } from "./known-failures.ts";
import { makeCredentialState } from "./state.ts";
import { type AuthManagerOptions, codexHomeOf } from "./types.ts";

/** The services that a manager is built from. */
export type ManagerServices = CredentialStore | HomeLock | HttpTransport | Scope.Scope;

/**
 * Opens what the operations of one manager share. When the scope closes, refreshed tokens that are not stored yet are saved.
 */
export const openDeps = Effect.fnUntraced(function* (
  options: AuthManagerOptions,
): Effect.fn.Return<ManagerDeps, never, ManagerServices> {
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
