import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import { dueAtMs, expiresAtMs, isExpired } from "../credential/expiry.ts";
import type {
  ChatgptCredential,
  Credential,
  ExternalChatgptCredential,
  WorkloadIdentityCredential,
} from "../credential/index.ts";
import { type LoginError, NotSignedIn, RefreshUnsupported } from "../errors/index.ts";
import type { RefreshReason } from "../oauth/refresh.ts";
import type { ManagerDeps, Operation } from "./deps.ts";
import { refreshPauseMs, SAME_OPERATION_MS } from "./known-failures.ts";
import { enforceRestrictions, loadCredential } from "./load.ts";
import { isSameSecret, type MaybeCredential } from "./state.ts";

// Loads and refreshes the credential, and updates the manager's state.

/** Loads the credential and makes the outcome current: a credential, none, or the error. */
export const loadAndAccept = Effect.fnUntraced(function* (
  deps: ManagerDeps,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const version = deps.state.version();
  const loaded = yield* Effect.tapError(loadCredential(deps), (error) =>
    Effect.map(Clock.currentTimeMillis, (nowMs) => {
      if (!outlivesStore(deps, error, nowMs)) deps.state.fail(error, version);
    }),
  );
  deps.state.accept(loaded, version);
  const credential = Option.getOrUndefined(loaded);
  if (credential?._tag === "Chatgpt" && deps.store.hasPending()) {
    deps.state.postpone(saveAgainAtMs(credential, yield* Clock.currentTimeMillis));
  }
  return currentOr(deps, loaded);
});

/** A store that does not respond says nothing about the credential that it had: it stays current until it expires. */
const outlivesStore = ({ state }: ManagerDeps, error: LoginError, nowMs: number): boolean => {
  const now = state.get();
  return (
    error._tag === "StoreUnavailable" &&
    now._tag === "Loaded" &&
    Option.exists(now.credential, (credential) => !isExpired(credential, nowMs))
  );
};

/** The state's credential: the one that was just accepted, or a newer one. */
const currentOr = (deps: ManagerDeps, loaded: MaybeCredential): MaybeCredential => {
  const state = deps.state.get();
  return state._tag === "Loaded" ? state.credential : loaded;
};

/** The current credential; loads it if that was not done before. */
export const ensureLoaded = (deps: ManagerDeps): Operation<MaybeCredential> =>
  Effect.suspend(() => {
    const state = deps.state.get();
    switch (state._tag) {
      case "Unloaded":
        return loadAndAccept(deps);
      case "Failed":
        return Effect.fail(state.error);
      case "Loaded":
        return Effect.succeed(state.credential);
    }
  });

/**
 * The credential for the next request, refreshed or reloaded if it is due. A failed refresh is not an error while the old
 * credential is still accepted: it is logged, and tried again later.
 */
export const refreshIfDue = Effect.fn("AuthManager.refreshIfDue")(function* (
  deps: ManagerDeps,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const loaded = Option.getOrUndefined(yield* ensureLoaded(deps));
  const nowMs = yield* Clock.currentTimeMillis;
  const state = deps.state.get();
  const due = state._tag === "Loaded" ? state.dueAtMs : Infinity;
  if (loaded === undefined || due > nowMs) return Option.fromUndefinedOr(loaded);
  if (loaded._tag === "WorkloadIdentity") return yield* exchangeAgain(deps, loaded, nowMs);
  if (loaded._tag !== "Chatgpt") return yield* loadAgain(deps, loaded, nowMs);
  if (dueAtMs(loaded) > nowMs) return Option.some(yield* saveAgain(deps, loaded, nowMs));
  const reason = expiresAtMs(loaded) === undefined ? "scheduled" : "proactive_expiry";
  return yield* refreshAndAccept(deps, loaded, reason).pipe(
    Effect.asSome,
    Effect.catch((error) =>
      mayStillServe(error, loaded, nowMs)
        ? Effect.as(warnUnreported(deps, error), Option.some<Credential>(loaded))
        : Effect.fail(error),
    ),
  );
});

/** Loads a credential that is due. While its store does not respond, it serves until it expires. */
const loadAgain = (deps: ManagerDeps, loaded: Credential, nowMs: number) =>
  Effect.catchTag(loadAndAccept(deps), "StoreUnavailable", (error) => {
    if (isExpired(loaded, nowMs)) return Effect.fail(error);
    deps.state.postpone(nowMs + STORE_PAUSE_MS);
    return Effect.as(
      Effect.logWarning(`the credential could not be loaded again yet: ${error.message}`),
      Option.some(loaded),
    );
  });

/** How long a store that did not respond is left alone. Nothing was sent to the authority. */
const STORE_PAUSE_MS = 5_000;

/** How soon a token whose exchange failed is due again. The workload identity itself decides when to send a request. */
const EXCHANGE_AGAIN_MS = 15_000;

/** Exchanges the identity token again. If that fails, the old token serves until it expires, and not longer. */
const exchangeAgain = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  loaded: WorkloadIdentityCredential,
  nowMs: number,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const version = deps.state.version();
  const result = yield* Effect.result(loadCredential(deps));
  if (Result.isSuccess(result)) {
    deps.state.accept(result.success, version);
    return currentOr(deps, result.success);
  }
  const error = result.failure;
  if (!mayStillServe(error, loaded, nowMs)) {
    deps.state.fail(error, version);
    return yield* Effect.fail(error);
  }
  deps.state.postpone(Math.min(nowMs + EXCHANGE_AGAIN_MS, loaded.expiresAtMs));
  yield* Effect.logWarning(`the workload identity was not exchanged again yet: ${error.message}`);
  return Option.some(loaded);
});

/** A logout, or a login to another account, ends the old credential at once. */
const mayStillServe = (error: LoginError, credential: Credential, nowMs: number): boolean =>
  error._tag !== "RefreshAccountChanged" &&
  error._tag !== "CredentialForbidden" &&
  error._tag !== "ForbiddenByAdministrator" &&
  !isExpired(credential, nowMs);

const warnUnreported = (deps: ManagerDeps, error: LoginError): Effect.Effect<void> =>
  Effect.suspend(() => {
    markUnreported(deps);
    return Effect.logWarning(`the access token could not be refreshed yet: ${error.message}`);
  });

/** No caller has received the error of the last refresh. */
export const markUnreported = ({ state }: Pick<ManagerDeps, "state">): void => {
  const now = state.get();
  if (now._tag === "Loaded" && now.failure !== undefined)
    state.setFailure({ ...now.failure, isReported: false });
};

const SAVE_AGAIN_MS = 30_000;

/** Tokens that could not be saved are lost when the process ends, and other processes still hold the spent ones. */
const saveAgainAtMs = (credential: Credential, nowMs: number): number =>
  Math.min(nowMs + SAVE_AGAIN_MS, Math.max(nowMs + 1, expiresAtMs(credential) ?? Infinity));

/**
 * Saves the tokens that are kept in memory, if there are any. On a store that several hosts share this takes the lease of
 * the refresh, because another host may be spending the token that they replace.
 */
export const savePending = ({
  homeLock,
  refreshLock,
  store,
}: Pick<ManagerDeps, "homeLock" | "refreshLock" | "store">) => {
  const save = homeLock.withLock(store.savePending);
  return store.describe.mode === "custom" && store.hasPending()
    ? Effect.scoped(Effect.andThen(refreshLock.acquire, save))
    : save;
};

const saveAgain = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  credential: ChatgptCredential,
  nowMs: number,
) {
  yield* Effect.catch(savePending(deps), (error) =>
    Effect.logWarning(`refreshed tokens still cannot be saved: ${error.message}`),
  );
  const hasPending = deps.store.hasPending();
  deps.state.postpone(hasPending ? saveAgainAtMs(credential, nowMs) : dueAtMs(credential));
  return credential;
});

/** Refreshes a ChatGPT sign-in and makes the outcome current. If the refresh fails, the credential stays current. */
export const refreshAndAccept = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  credential: ChatgptCredential,
  reason: RefreshReason,
  isDemanded = false,
): Effect.fn.Return<Credential, LoginError, HttpTransport> {
  const version = deps.state.version();
  const { refreshChatgpt } = yield* Effect.promise(() => import("./refresh.ts"));
  const {
    credential: refreshed,
    dueAgainAtMs,
    stored,
  } = yield* Effect.tapError(
    refreshChatgpt({ deps, mine: credential, reason, isDemanded }),
    (error) => rememberFailure(deps, error, version),
  );
  const allowed = yield* Effect.tapError(
    enforceRestrictions(deps, refreshed, stored.document),
    (error) => Effect.sync(() => deps.state.fail(error, version)),
  );
  deps.state.accept(Option.some(allowed), version);
  const current = Option.getOrElse(currentOr(deps, Option.some(allowed)), () => allowed);
  if (isSameSecret(current, allowed)) {
    const saveAtMs = saveAgainAtMs(allowed, yield* Clock.currentTimeMillis);
    deps.state.postpone(deps.store.hasPending() ? saveAtMs : dueAgainAtMs);
  }
  return current;
});

const rememberFailure = (
  { state }: ManagerDeps,
  error: LoginError,
  version: number,
): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (endedAtMs) => {
    const now = state.get();
    if (now._tag !== "Loaded" || state.version() !== version || wasNotAttempted(error)) return;
    if (error === now.failure?.error) return state.setFailure({ ...now.failure, isReported: true });
    const count = (now.failure?.count ?? 0) + 1;
    const agreedAtMs = error._tag === "RefreshFailed" ? error.retryAtMs : undefined;
    const pauseMs = isStoreFailure(error) ? STORE_PAUSE_MS : refreshPauseMs(count);
    const pausedUntilMs = agreedAtMs ?? endedAtMs + pauseMs;
    const retryAtMs = Math.max(pausedUntilMs, endedAtMs + SAME_OPERATION_MS);
    state.setFailure({ error, count, endedAtMs, retryAtMs, isReported: true });
  });

/** Whether the store or its lock prevented the refresh, so nothing was sent to the authority. */
const isStoreFailure = ({ _tag }: LoginError): boolean =>
  _tag === "StoreUnavailable" ||
  _tag === "LeaseBusy" ||
  _tag === "LeaseLost" ||
  _tag === "RefreshInterrupted";

/** Whether no refresh was attempted, so there is no failure to back off from. */
const wasNotAttempted = ({ _tag }: LoginError): boolean =>
  _tag === "RefreshAccountChanged" || _tag === "NewCredentialRejected";

/** Asks the external provider again and makes its tokens current; `None` without a provider. */
export const askExternalAndAccept = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  credential: ExternalChatgptCredential,
): Effect.fn.Return<MaybeCredential, LoginError> {
  const version = deps.state.version();
  const tokens = yield* deps.external.askAgain(credential.account.accountId);
  if (Option.isNone(tokens)) return Option.none();
  const { externalCredential } = yield* Effect.promise(() => import("./chatgpt.ts"));
  const supplied = yield* externalCredential(tokens.value, credential.source);
  const allowed = yield* Effect.tapError(enforceRestrictions(deps, supplied), (error) =>
    Effect.sync(() => deps.state.fail(error, version)),
  );
  deps.state.accept(Option.some(allowed), version);
  return Option.some(allowed);
});

/** `AuthManager.refresh`. */
export const refreshNow = Effect.fn("AuthManager.refresh")(function* (
  deps: ManagerDeps,
  reason: RefreshReason,
): Effect.fn.Return<Credential, LoginError, HttpTransport> {
  yield* Effect.annotateCurrentSpan({ "refresh.reason": reason });
  const loaded = Option.getOrUndefined(yield* ensureLoaded(deps));
  if (loaded === undefined) return yield* new NotSignedIn();
  if (loaded._tag === "Chatgpt") return yield* refreshAndAccept(deps, loaded, reason, true);
  if (loaded._tag === "WorkloadIdentity" && deps.workloadIdentity !== undefined) {
    const { replaceWorkloadToken } = yield* Effect.promise(
      () => import("./replace-workload-token.ts"),
    );
    return yield* replaceWorkloadToken(deps, loaded);
  }
  if (loaded._tag === "ExternalChatgpt") {
    const supplied = yield* askExternalAndAccept(deps, loaded);
    if (Option.isSome(supplied)) return supplied.value;
  }
  return yield* new RefreshUnsupported({ kind: loaded._tag });
});
