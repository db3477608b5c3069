import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import { CredentialStore } from "../storage/index.ts";
import type { Credential } from "../credential/index.ts";
import type { LoginError } from "../errors/index.ts";
import { HomeLock } from "../storage/lock/index.ts";
import { makeFlights } from "./single-flight.ts";
import type { AuthManagerOptions, AuthManagerShape } from "./types.ts";
import type { Core, MaybeCredential, Operation } from "./core.ts";
import { makeCredentialCell } from "./credential-cell.ts";
import { makeExternalSlot } from "./external.ts";
import { openEphemeralStore } from "./open-ephemeral-store.ts";
import { identify, recoverFrom, supersededBy } from "./recover.ts";
import { makeRejections } from "./rejections.ts";
import { isExpired } from "../credential/expiry.ts";
import { currentOrRenewed, ensureLoaded, loadAndKeep, refreshCurrent } from "./renew.ts";

type Needs = CredentialStore | HomeLock | HttpTransport | Scope.Scope;

/** Builds the service of `../auth-manager.ts`. */
export const makeAuthManager = Effect.fnUntraced(function* (
  options: AuthManagerOptions,
): Effect.fn.Return<AuthManagerShape, never, Needs> {
  const core = yield* makeCore(options);
  const transport = yield* HttpTransport;
  const flights = yield* makeFlights<MaybeCredential, LoginError>();
  const turn = Semaphore.makeUnsafe(1);

  /** Operations have their turn one after the other; what they send goes through the manager's transport. */
  const inTurn = <A>(operation: Operation<A>): Effect.Effect<A, LoginError> =>
    turn.withPermit(Effect.provideService(operation, HttpTransport, transport));
  const shared = (key: string, operation: Operation<MaybeCredential>) =>
    flights.join(key, inTurn(operation));

  let loads = 0;
  /** Joined only until it starts to read, so that nobody gets an answer older than the question. */
  const reload = Effect.suspend(() =>
    shared(
      `load ${loads}`,
      Effect.suspend(() => {
        loads += 1;
        return loadAndKeep(core);
      }),
    ),
  );

  let lostPatienceUntilMs = 0;
  const regainPatience = Effect.sync(() => {
    lostPatienceUntilMs = 0;
  });
  const current: AuthManagerShape["current"] = Effect.clockWith((clock) => {
    const state = core.cell.state();
    const nowMs = clock.currentTimeMillisUnsafe();
    if (state._tag === "Loaded" && nowMs < state.dueAtMs) return state.answer;
    if (state._tag === "Failed") return Effect.fail(state.error);
    if (state._tag === "Unloaded") {
      return Effect.andThen(
        shared("first load", ensureLoaded(core)),
        Effect.suspend(() => current),
      );
    }
    const renewed = shared("renewal", Effect.ensuring(currentOrRenewed(core), regainPatience));
    if (!Option.exists(state.credential, isGoodAt(nowMs))) return renewed;
    if (nowMs < lostPatienceUntilMs) return state.answer;
    const orElse = () => {
      lostPatienceUntilMs = nowMs + HANGING_MS;
      return state.answer;
    };
    return Effect.timeoutOrElse(renewed, { duration: PATIENCE_MS, orElse });
  });

  if (options.loadAtStart !== false) yield* Effect.ignore(current);

  return {
    current,
    reload,
    snapshot: () => {
      const state = core.cell.state();
      return state._tag === "Loaded" ? state.credential : Option.none();
    },
    refresh: (reason) =>
      Effect.flatMap(shared("refresh", Effect.asSome(refreshCurrent(core, reason))), (refreshed) =>
        Effect.orDie(Effect.fromOption(refreshed)),
      ),
    recoverUnauthorized: (rejected) =>
      Effect.suspend(() => {
        const newer = supersededBy(core, rejected);
        return Option.isSome(newer)
          ? Effect.succeed(newer)
          : shared(`recover ${identify(rejected)}`, recoverFrom(core, rejected));
      }),
    checkLogin: (method) => Effect.flatMap(signIn, (it) => it.checkLogin(core, method)),
    loginWithApiKey: (apiKey) =>
      inTurn(Effect.flatMap(signIn, (it) => it.loginWithApiKey(core, apiKey))),
    loginWithAccessToken: (token) =>
      inTurn(Effect.flatMap(signIn, (it) => it.loginWithAccessToken(core, token))),
    saveAccessToken: (token) =>
      inTurn(Effect.flatMap(signIn, (it) => it.saveAccessToken(core, token))),
    loginWithChatgptTokens: (tokens) =>
      inTurn(Effect.flatMap(signIn, (it) => it.loginWithChatgptTokens(core, tokens))),
    logout: inTurn(Effect.flatMap(signOut, (it) => it.logout(core))),
    setExternalProvider: (provider) =>
      inTurn(
        Effect.suspend(() => {
          core.external.set(provider);
          return Effect.asVoid(loadAndKeep(core));
        }),
      ),
    changes: core.cell.changes,
  };
});

/** While the old credential is good, a request waits so long for a newer one, which goes on coming without it. */
const PATIENCE_MS = 2_000;
/** After a wait in vain nobody waits for so long: about what a refresh may take before it counts as failed. */
const HANGING_MS = 30_000;

const isGoodAt =
  (nowMs: number) =>
  (credential: Credential): boolean =>
    !isExpired(credential, nowMs);

// A program that only sends requests does without these.
const signIn = Effect.promise(() => import("./sign-in.ts"));
const signOut = Effect.promise(() => import("./sign-out.ts"));

const tellOfLoss = (error: LoginError): Effect.Effect<void> =>
  Effect.logError(`refreshed tokens could not be saved and are lost: ${error.message}`);

const makeCore = Effect.fnUntraced(function* (
  options: AuthManagerOptions,
): Effect.fn.Return<Core, never, Needs> {
  // All of it, so that what agent identities may be given (`JwksCache`, `AgentTasks`) reaches them as well.
  const context = yield* Effect.context<HttpTransport | Scope.Scope>();
  const store = yield* CredentialStore;
  const lock = yield* HomeLock;
  yield* Effect.addFinalizer(() =>
    store.hasPending() ? Effect.catch(lock.withLock(store.savePending), tellOfLoss) : Effect.void,
  );
  const agents = yield* Effect.promise(() => import("../agents/identities.ts")).pipe(
    Effect.flatMap(({ makeAgentIdentities }) => makeAgentIdentities(options)),
    Effect.provideContext(context),
    Effect.cached,
  );
  return {
    options,
    store,
    ephemeral: store.describe.mode === "ephemeral" ? store : yield* openEphemeralStore,
    lock,
    agents,
    external: makeExternalSlot(options.externalProvider),
    rejections: makeRejections(),
    cell: yield* makeCredentialCell(),
  };
});
