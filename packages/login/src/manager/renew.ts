import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { ChatgptCredential, Credential } from "../credential/index.ts";
import { type LoginError, NotSignedIn, RefreshUnsupported } from "../errors/index.ts";
import { enforceRestrictions, loadCredential, type Core, type MaybeCredential } from "./core.ts";
import type { RefreshReason } from "./types.ts";
import { dueAtMs, expiresAtMs, isExpired } from "../credential/expiry.ts";

// Each operation here runs in the manager's turn.

/** Loads, and keeps the outcome: the credential, the fact that there is none, or the error. */
export const loadAndKeep = Effect.fnUntraced(function* (
  core: Core,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const loaded = yield* Effect.tapError(loadCredential(core), (error) =>
    Effect.sync(() => core.cell.fail(error)),
  );
  core.cell.accept(loaded);
  const credential = Option.getOrUndefined(loaded);
  if (credential?._tag === "Chatgpt" && core.store.hasPending()) {
    core.cell.postponeRenewal(retryAtMs(credential, yield* Clock.currentTimeMillis));
  }
  return loaded;
});

/** What is current, loaded first where nobody has done so yet. */
export const ensureLoaded = (
  core: Core,
): Effect.Effect<MaybeCredential, LoginError, HttpTransport> =>
  Effect.suspend(() => {
    const state = core.cell.state();
    switch (state._tag) {
      case "Unloaded":
        return loadAndKeep(core);
      case "Failed":
        return Effect.fail(state.error);
      case "Loaded":
        return Effect.succeed(state.credential);
    }
  });

/**
 * The credential for the next request: renewed where it is due. A renewal that fails does no harm while the old
 * credential is still accepted; it is tried again later.
 */
export const currentOrRenewed = Effect.fn("AuthManager.renew")(function* (
  core: Core,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const loaded = Option.getOrUndefined(yield* ensureLoaded(core));
  const nowMs = yield* Clock.currentTimeMillis;
  const state = core.cell.state();
  const due = state._tag === "Loaded" ? state.dueAtMs : Infinity;
  if (loaded === undefined || due > nowMs) return Option.fromUndefinedOr(loaded);
  if (loaded._tag !== "Chatgpt") return yield* loadAndKeep(core);
  if (dueAtMs(loaded) > nowMs) return Option.some(yield* saveAgain(core, loaded, nowMs));
  return Option.some(
    yield* Effect.catch(refreshAndKeep(core, loaded, refreshReason(loaded)), (error) =>
      mayStillServe(error, loaded, nowMs)
        ? keepForNow(core, loaded, nowMs, error)
        : Effect.fail(error),
    ),
  );
});

/** Signing out, or in as somebody else, ends the old credential at once, whatever its age. */
const mayStillServe = (error: LoginError, credential: Credential, nowMs: number): boolean =>
  error._tag !== "RefreshAccountChanged" &&
  error._tag !== "CredentialForbidden" &&
  !isExpired(credential, nowMs);

const keepForNow = Effect.fnUntraced(function* (
  core: Core,
  credential: ChatgptCredential,
  nowMs: number,
  error: LoginError,
) {
  yield* Effect.logWarning(`the sign-in could not be renewed yet: ${error.message}`);
  core.cell.postponeRenewal(retryAtMs(credential, nowMs));
  return credential;
});

/**
 * Tokens that could not be saved are in memory alone: the end of the process would be theirs, and other programs still
 * hold the spent ones. So it is tried again long before the next refresh.
 */
const saveAgain = Effect.fnUntraced(function* (
  core: Core,
  credential: ChatgptCredential,
  nowMs: number,
) {
  yield* Effect.catch(core.lock.withLock(core.store.savePending), (error) =>
    Effect.logWarning(`refreshed tokens still cannot be saved: ${error.message}`),
  );
  const hasPending = core.store.hasPending();
  core.cell.postponeRenewal(hasPending ? retryAtMs(credential, nowMs) : dueAtMs(credential));
  return credential;
});

/** Refreshes a ChatGPT sign-in and makes the outcome current. What is there stays where the refresh fails. */
export const refreshAndKeep = Effect.fnUntraced(function* (
  core: Core,
  credential: ChatgptCredential,
  reason: RefreshReason,
): Effect.fn.Return<ChatgptCredential, LoginError, HttpTransport> {
  const { refreshChatgpt } = yield* Effect.promise(() => import("./chatgpt-refresh.ts"));
  const { credential: refreshed, stored } = yield* refreshChatgpt(core, credential, reason);
  const allowed = yield* Effect.tapError(
    enforceRestrictions(core, refreshed, stored.document),
    (error) => Effect.sync(() => core.cell.fail(error)),
  );
  core.cell.accept(Option.some(allowed));
  // A sign-in that is due again at once, as its authority's clock may have it, must not refresh at every call.
  const nowMs = yield* Clock.currentTimeMillis;
  if (dueAtMs(allowed) <= nowMs || core.store.hasPending())
    core.cell.postponeRenewal(retryAtMs(allowed, nowMs));
  return allowed;
});

/** Asks the external provider again and makes its answer current; `None` where there is no provider to ask. */
export const askExternalAndKeep = Effect.fnUntraced(function* (
  core: Core,
  credential: Extract<Credential, { readonly _tag: "ExternalChatgpt" }>,
): Effect.fn.Return<MaybeCredential, LoginError> {
  const answer = yield* core.external.askAgain(credential.account.accountId);
  if (Option.isNone(answer)) return Option.none();
  const { externalCredential } = yield* Effect.promise(() => import("./chatgpt-credential.ts"));
  const renewed = yield* externalCredential(answer.value, credential.source);
  const allowed = yield* Effect.tapError(enforceRestrictions(core, renewed), (error) =>
    Effect.sync(() => core.cell.fail(error)),
  );
  core.cell.accept(Option.some(allowed));
  return Option.some(allowed);
});

/** `AuthManager.refresh`. */
export const refreshCurrent = Effect.fn("AuthManager.refresh")(function* (
  core: Core,
  reason: RefreshReason,
): Effect.fn.Return<Credential, LoginError, HttpTransport> {
  const loaded = Option.getOrUndefined(yield* ensureLoaded(core));
  if (loaded === undefined) return yield* new NotSignedIn();
  if (loaded._tag === "Chatgpt") return yield* refreshAndKeep(core, loaded, reason);
  if (loaded._tag === "ExternalChatgpt") {
    const renewed = yield* askExternalAndKeep(core, loaded);
    if (Option.isSome(renewed)) return renewed.value;
  }
  return yield* new RefreshUnsupported({ kind: loaded._tag });
});

const retryMs = 30_000;

/**
 * When to try again after a refresh that failed or brought a credential that is due at once: in 30 s, or when the
 * credential expires, if that is sooner. If the clock of this machine is ahead of the authority's, every new access
 * token has expired already; it waits as well, or each call would spend a refresh token.
 */
const retryAtMs = (credential: Credential, nowMs: number): number => {
  const expiresAt = expiresAtMs(credential) ?? 0;
  return expiresAt > nowMs ? Math.min(nowMs + retryMs, expiresAt) : nowMs + retryMs;
};

const refreshReason = (credential: Credential): RefreshReason =>
  expiresAtMs(credential) === undefined ? "scheduled" : "proactive_expiry";
