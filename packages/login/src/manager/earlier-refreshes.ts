import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { dueAfterRefreshMs } from "../credential/expiry.ts";
import type { ChatgptCredential } from "../credential/index.ts";
import {
  type LoginError,
  NewCredentialRejected,
  RefreshFailed,
  RefreshRejected,
} from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import type { RefreshReason } from "../oauth/refresh.ts";
import { fingerprint } from "../storage/fingerprint.ts";
import type { RefreshOutcome } from "../storage/lock/refresh-lock.ts";
import type { StoredSignIn } from "./chatgpt.ts";
import type { ManagerDeps } from "./deps.ts";
import { recoveryPauseMs, refreshPauseMs, SAME_OPERATION_MS } from "./known-failures.ts";
import type { RefreshFailure } from "./state.ts";

// What earlier refreshes, of this process and of others, say about the next one.

/** A refresh that is asked for. */
export interface RefreshCall {
  readonly deps: ManagerDeps;
  readonly mine: ChatgptCredential;
  readonly reason: RefreshReason;
  /** Whether a caller demands a refresh, which ignores the back-off after a failure. */
  readonly isDemanded: boolean;
}

export const isOtherPair = (mine: ChatgptCredential, other: ChatgptCredential): boolean =>
  fingerprint(mine.accessToken) !== fingerprint(other.accessToken);

/** When this access token was obtained, if the last refresh brought it. In milliseconds since the epoch. */
export const refreshTimeMs = (
  { accessToken }: ChatgptCredential,
  last: Option.Option<RefreshOutcome>,
): number | undefined => {
  const outcome = Option.getOrUndefined(last);
  if (outcome?.result._tag !== "Refreshed") return undefined;
  return outcome.result.accessToken === fingerprint(accessToken) ? outcome.endedAtMs : undefined;
};

/**
 * Whether another process has just obtained this token. A token with a short life is due at once by the general rule.
 */
export const isFresh = (
  { isDemanded, reason }: RefreshCall,
  { credential }: StoredSignIn,
  last: Option.Option<RefreshOutcome>,
  nowMs: number,
): boolean => {
  const refreshedAtMs = refreshTimeMs(credential, last);
  if (refreshedAtMs === undefined || isDemanded || reason !== "proactive_expiry") return false;
  return nowMs >= refreshedAtMs && nowMs < dueAfterRefreshMs(credential, refreshedAtMs);
};

export const refuseSpent = (
  { spentTokens }: ManagerDeps,
  { tokens }: StoredSignIn,
): Effect.Effect<void, LoginError> => {
  const error = spentTokens.errorOf(tokens);
  return error === undefined ? Effect.void : Effect.fail(error);
};

/**
 * Fails with the error of an earlier refresh of the stored token if that also answers this call (`answersFor`,
 * `isSharedFailure`). Fails with `NewCredentialRejected` if the server rejected a new token and the pause after its
 * refresh is not over.
 */
export const refuseKnownFailure = Effect.fnUntraced(function* (
  { deps, isDemanded, mine, reason }: RefreshCall,
  { credential, tokens }: StoredSignIn,
  last: Option.Option<RefreshOutcome>,
): Effect.fn.Return<void, LoginError> {
  const nowMs = yield* Clock.currentTimeMillis;
  const state = deps.state.get();
  const failure = state._tag === "Loaded" ? state.failure : undefined;
  const isSame = !isOtherPair(mine, credential);
  if (failure !== undefined && isSame && answersFor(failure, isDemanded, nowMs)) {
    return yield* Effect.fail(failure.error);
  }
  const shared = Option.filter(last, (outcome) =>
    isSharedFailure(outcome, { isDemanded, isFirst: failure === undefined, nowMs, tokens }),
  );
  if (Option.isSome(shared)) {
    const error = errorOf(shared.value.result, mine, nowMs - shared.value.endedAtMs);
    if (error?._tag === "RefreshRejected") deps.spentTokens.remember(tokens, error);
    if (error !== undefined) return yield* error;
  }
  const result = Option.getOrUndefined(last)?.result;
  if (reason !== "unauthorized_recovery" || result?._tag !== "Refreshed") return;
  if (result.accessToken !== fingerprint(credential.accessToken)) return;
  const endedAtMs = Option.getOrThrow(last).endedAtMs;
  const retryAtMs = endedAtMs + recoveryPauseMs(result.rejections);
  if (nowMs < endedAtMs || nowMs >= retryAtMs) return;
  const ageMs = nowMs - endedAtMs;
  const { accountId } = credential.account;
  return yield* new NewCredentialRejected(
    compact({ kind: "Chatgpt" as const, ageMs, retryAtMs, accountId }),
  );
});

const answersFor = (failure: RefreshFailure, isDemanded: boolean, nowMs: number): boolean =>
  isDemanded
    ? !failure.isReported && nowMs - failure.endedAtMs < SAME_OPERATION_MS
    : nowMs < failure.retryAtMs;

/**
 * Milliseconds after its start in which the first refresh of a program counts as requested at the start: if 32 programs
 * start at once on two busy cores, the last of them asks minutes later.
 */
const STARTING_MS = 300_000;
const programStartedAtMs = performance.timeOrigin;

/**
 * Whether a caller gets the recorded failure of a refresh with this token, in any process, instead of another attempt. It
 * does during the pause after the failure. So does the first refresh of a program that was started before the failure: a
 * program that starts faster would have waited for the failed refresh. A caller that demands a refresh gets an attempt.
 */
const isSharedFailure = (
  { endedAtMs, refreshToken, result }: RefreshOutcome,
  {
    isDemanded,
    isFirst,
    nowMs,
    tokens,
  }: Pick<RefreshCall, "isDemanded"> &
    Pick<StoredSignIn, "tokens"> & { readonly isFirst: boolean; readonly nowMs: number },
): boolean => {
  if (isDemanded) return false;
  // The time of an outcome in the future is wrong: the clock was set back.
  if (refreshToken !== fingerprint(tokens.refreshToken) || nowMs < endedAtMs) return false;
  const isStarting = programStartedAtMs <= endedAtMs && nowMs < programStartedAtMs + STARTING_MS;
  if (isFirst && isStarting) return true;
  const retryAtMs = result._tag === "Failed" ? result.retryAtMs : endedAtMs + refreshPauseMs(1);
  return nowMs < retryAtMs;
};

/** The error of a failed outcome. `ageMs` if no caller waited for it: milliseconds since it was recorded. */
export const errorOf = (
  result: RefreshOutcome["result"],
  { account: { accountId } }: ChatgptCredential,
  ageMs?: number,
): RefreshFailed | RefreshRejected | undefined => {
  switch (result._tag) {
    case "Refreshed":
      return undefined;
    case "Rejected":
      return new RefreshRejected(compact({ reason: result.reason, accountId }));
    case "Failed": {
      const { _tag: _, failures: __, ...failure } = result;
      return new RefreshFailed(compact({ ...failure, ageMs }));
    }
  }
};

/** How many attempt series with this refresh token have failed, in any process, since the last other outcome. */
export const failuresInARow = (
  { tokens }: StoredSignIn,
  last: Option.Option<RefreshOutcome>,
): number => {
  const outcome = Option.getOrUndefined(last);
  if (outcome?.result._tag !== "Failed") return 0;
  return outcome.refreshToken === fingerprint(tokens.refreshToken) ? outcome.result.failures : 0;
};

/** How many access tokens in a row a server has rejected soon after they were obtained. */
export const rejectionsInARow = (
  { reason }: RefreshCall,
  { credential }: StoredSignIn,
  last: Option.Option<RefreshOutcome>,
  nowMs: number,
): number => {
  if (reason !== "unauthorized_recovery" || Option.isNone(last)) return 0;
  const { endedAtMs, result } = last.value;
  if (result._tag !== "Refreshed") return 0;
  const isSoon = nowMs - endedAtMs < 2 * recoveryPauseMs(result.rejections);
  return isSoon && result.accessToken === fingerprint(credential.accessToken)
    ? result.rejections + 1
    : 0;
};
