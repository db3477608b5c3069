import { randomUUID } from "node:crypto";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Schedule from "effect/Schedule";
import { dueAfterRefreshMs, isExpired } from "../credential/expiry.ts";
import { type ChatgptCredential, isSameAccount } from "../credential/index.ts";
import {
  CredentialUnusable,
  type LoginError,
  RefreshFailed,
  RefreshRejected,
} from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import { type RefreshedTokens, spendRefreshToken } from "../oauth/refresh.ts";
import { tokenAuthority } from "../oauth/authority.ts";
import type { AuthDocument, AuthTokens } from "../storage/auth-json/index.ts";
import { fingerprint } from "../storage/fingerprint.ts";
import type { StoredDocument } from "../storage/index.ts";
import type { RefreshLease, RefreshOutcome } from "../storage/lock/refresh-lock.ts";
import { changeStored } from "./change-stored.ts";
import { chatgptCredential, readSignIn, revokeSignIn, type StoredSignIn } from "./chatgpt.ts";
import type { ManagerDeps } from "./deps.ts";
import {
  errorOf,
  failuresInARow,
  isFresh,
  isOtherPair,
  type RefreshCall,
  refreshTimeMs,
  refuseKnownFailure,
  refuseSpent,
  rejectionsInARow,
} from "./earlier-refreshes.ts";
import { refreshPauseMs } from "./known-failures.ts";

/** How often a turn is taken again whose lease ended before an attempt, as when the process was stopped. */
const LEASE_RETRIES = 2;

/** The credential, and the stored document that it was made of. */
type NewSignIn = Pick<StoredSignIn, "credential" | "stored">;

/** A refreshed credential, and when it is due again, in milliseconds since the epoch. */
export type Refreshed = NewSignIn & { readonly dueAgainAtMs: number };

/**
 * Refreshes a ChatGPT sign-in, once for everything that shares the store (docs/protocol.md §9).
 *
 * A token pair that another process stored meanwhile is adopted. Else the refresh token is spent under the refresh lock
 * and the new pair stored under the home lock. Callers that wait for the refresh lock share the outcome of the attempt
 * series that they waited for, a failure included. After a failed series no process starts the next one for a while.
 *
 * Fails with `RefreshAccountChanged` if the store no longer holds a sign-in of the same account.
 */
export const refreshChatgpt = Effect.fn("AuthManager.refreshChatgpt")(function* (
  call: RefreshCall,
): Effect.fn.Return<Refreshed, LoginError, HttpTransport> {
  const { deps } = call;
  // The lease is confirmed before each attempt, so nothing is sent after it is lost. Earlier attempts brought no tokens, and
  // the other holder has probably stored a new pair meanwhile.
  const { credential, stored } = yield* Effect.retry(adoptOrTakeTurn(call), {
    times: LEASE_RETRIES,
    while: ({ _tag }) => _tag === "LeaseLost",
  });
  const nowMs = yield* Clock.currentTimeMillis;
  const refreshedAtMs = refreshTimeMs(credential, yield* deps.refreshLock.lastOutcome) ?? nowMs;
  return { credential, stored, dueAgainAtMs: dueAfterRefreshMs(credential, refreshedAtMs) };
});

const adoptOrTakeTurn = Effect.fnUntraced(function* (
  call: RefreshCall,
): Effect.fn.Return<NewSignIn, LoginError, HttpTransport> {
  const { deps, mine } = call;
  const stored = yield* readSignIn(deps.store, mine);
  const last = yield* deps.refreshLock.lastOutcome;
  const nowMs = yield* Clock.currentTimeMillis;
  if (isAdoptable(mine, stored, nowMs) || isFresh(call, stored, last, nowMs)) return stored;
  yield* refuseSpent(deps, stored);
  const turn = Effect.andThen(
    refuseKnownFailure(call, stored, last),
    takeTurn(call, fingerprint(stored.tokens.refreshToken), idOf(last)),
  );
  return yield* Effect.catchTag(turn, "RefreshRejected", (rejection) =>
    rejection.reason === "reused" ? adoptAfterReuse(call, rejection) : Effect.fail(rejection),
  );
});

const idOf = (outcome: Option.Option<RefreshOutcome>): string | undefined =>
  Option.getOrUndefined(outcome)?.id;

/** Also a pair that is due: an authority may issue tokens that live for minutes, and each process would spend one. */
const isAdoptable = (mine: ChatgptCredential, { credential }: StoredSignIn, nowMs: number) =>
  isOtherPair(mine, credential) && !isExpired(credential, nowMs);

/** Waits for the lock and spends the token, or shares the outcome of the previous holder of the lock. */
const takeTurn = (
  call: RefreshCall,
  token: string,
  lastId: string | undefined,
): Effect.Effect<NewSignIn, LoginError, HttpTransport> =>
  Effect.gen(function* () {
    const { refreshLock } = call.deps;
    const isNews = (outcome: RefreshOutcome) =>
      outcome.id !== lastId && outcome.refreshToken === token;
    const shared = Effect.scoped(
      Effect.gen(function* () {
        const news = refreshLock.awaitOutcome(isNews);
        const lease = yield* Effect.raceFirst(refreshLock.acquire, Effect.as(news, undefined));
        const last = Option.filter(yield* refreshLock.lastOutcome, isNews);
        if (Option.isSome(last)) return yield* shareOutcome(call, last.value);
        // Another process has already replaced the outcome that ended the wait.
        return lease === undefined ? Option.none() : Option.some(yield* adoptOrSpend(call, lease));
      }),
    );
    const refreshed = yield* shared;
    if (Option.isSome(refreshed)) return refreshed.value;
    // It was refreshed, but the new pair could not be stored, so this process cannot use it.
    return yield* takeTurn(call, token, idOf(yield* refreshLock.lastOutcome));
  });

const shareOutcome = Effect.fnUntraced(function* (
  { deps, mine }: RefreshCall,
  { result }: RefreshOutcome,
): Effect.fn.Return<Option.Option<NewSignIn>, LoginError> {
  const error = errorOf(result, mine);
  if (error?._tag === "RefreshFailed") return yield* error;
  const stored = yield* readSignIn(deps.store, mine);
  if (isOtherPair(mine, stored.credential)) return Option.some(stored);
  if (error === undefined) return Option.none();
  deps.spentTokens.remember(stored.tokens, error);
  return yield* error;
});

const adoptOrSpend = Effect.fnUntraced(function* (
  call: RefreshCall,
  lease: RefreshLease,
): Effect.fn.Return<NewSignIn, LoginError, HttpTransport> {
  const { deps, mine } = call;
  const nowMs = yield* Clock.currentTimeMillis;
  const found = yield* readSignIn(deps.store, mine);
  if (isAdoptable(mine, found, nowMs)) return found;
  const last = yield* deps.refreshLock.lastOutcome;
  yield* refuseSpent(deps, found);
  yield* refuseKnownFailure(call, found, last);
  // Before anything is spent: checks that the store can be written and that no other process is writing it.
  const current = yield* deps.homeLock.withLock(
    Effect.gen(function* () {
      yield* deps.store.savePending;
      yield* deps.store.checkWritable;
      return yield* readSignIn(deps.store, mine);
    }),
  );
  if (isAdoptable(mine, current, nowMs)) return current;
  return yield* spendAndStore(call, current, {
    lease,
    failures: failuresInARow(current, last),
    rejections: rejectionsInARow(call, current, last, nowMs),
  });
});

const spendAndStore = Effect.fnUntraced(function* (
  { deps, reason }: RefreshCall,
  signIn: StoredSignIn,
  {
    failures,
    lease,
    rejections,
  }: {
    readonly failures: number;
    readonly lease: RefreshLease;
    readonly rejections: number;
  },
): Effect.fn.Return<NewSignIn, LoginError, HttpTransport> {
  const { tokens } = signIn;
  const { source } = signIn.stored;
  const { environment, allowInsecureHttp = false } = deps.options;
  if (Redacted.value(tokens.refreshToken) === "") {
    return yield* new CredentialUnusable({ source, reason: "tokens.refresh_token is empty" });
  }
  const authority = tokenAuthority(environment, tokens.oauthProvenance, allowInsecureHttp);
  if (authority === undefined) {
    const reason = "tokens.oauth_provenance.issuer must be an https URL";
    return yield* new CredentialUnusable({ source, reason });
  }
  const record = Effect.fnUntraced(function* (result: RefreshOutcome["result"], atMs?: number) {
    yield* deps.refreshLock.recordOutcome({
      id: randomUUID(),
      refreshToken: fingerprint(tokens.refreshToken),
      endedAtMs: atMs ?? (yield* Clock.currentTimeMillis),
      result,
    });
  });
  const keep = Effect.fnUntraced(function* (fresh: RefreshedTokens) {
    const kept = yield* storeTokens(deps, signIn, fresh, lease);
    if (fresh.accessToken === undefined) {
      return yield* new RefreshFailed({
        attempts: 1,
        reason: "the response holds no access token",
        ...(fresh.refreshToken === undefined && { isSpent: true }),
      });
    }
    yield* record({ _tag: "Refreshed", accessToken: fingerprint(fresh.accessToken), rejections });
    return kept;
  });
  const request = {
    url: authority.tokenUrl,
    clientId: authority.clientId,
    refreshToken: tokens.refreshToken,
    reason,
    ...compact({ accountId: signIn.credential.account.accountId }),
  };
  return yield* spendRefreshToken(request, keep, lease.confirm).pipe(
    Effect.catchTag("RefreshRejected", (error) => {
      deps.spentTokens.remember(tokens, error);
      return Effect.andThen(record({ _tag: "Rejected", reason: error.reason }), Effect.fail(error));
    }),
    Effect.catchTag(
      "RefreshFailed",
      Effect.fnUntraced(function* ({ advice, attempts, isSpent, reason, retryAfterMs, status }) {
        const endedAtMs = yield* Clock.currentTimeMillis;
        const retryAtMs = endedAtMs + refreshPauseMs(failures + 1, retryAfterMs);
        const facts = compact({ advice, attempts, isSpent, reason, retryAfterMs, status });
        const error = new RefreshFailed({ ...facts, retryAtMs });
        if (isSpent === true) deps.spentTokens.remember(tokens, error);
        const result = { _tag: "Failed" as const, ...facts, failures: failures + 1, retryAtMs };
        yield* record(result, endedAtMs);
        return yield* error;
      }),
    ),
  );
});

/** Stores the new tokens, unless another program has replaced or removed the sign-in while they were requested. */
const storeTokens = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  spent: StoredSignIn,
  fresh: RefreshedTokens,
  { fencingToken }: RefreshLease,
): Effect.fn.Return<NewSignIn, LoginError, HttpTransport> {
  const lastRefresh = new Date(yield* Clock.currentTimeMillis).toISOString();
  const tokens: AuthTokens = { ...spent.tokens, ...fresh };
  const withTokens = ({ document }: StoredDocument): AuthDocument => ({
    ...document,
    tokens,
    lastRefresh,
  });
  const save = Effect.fnUntraced(function* (instead: StoredDocument) {
    const document = withTokens(instead);
    const saved = yield* deps.store.saveRefreshed(document, instead, compact({ fencingToken }));
    return { _tag: "Stored" as const, document, version: instead.version, ...saved };
  });
  // In most cases nothing has changed since the token was spent, so one operation of the store is enough.
  const saveAgain = changeStored(
    deps.homeLock,
    Effect.gen(function* () {
      const found = yield* deps.store.load;
      return Option.isNone(found) || !isSamePair(found.value.document.tokens, spent.tokens)
        ? { _tag: "Replaced" as const, found }
        : yield* save(found.value);
    }),
  );
  const outcome = yield* deps.homeLock.withLock(save(spent.stored)).pipe(
    Effect.catchTag("StoreConflict", () => saveAgain),
    // No lock, or a document that does not parse any more: nothing is overwritten, and nothing is lost.
    Effect.catch((problem) => {
      const document = withTokens(spent.stored);
      const { source } = spent.stored;
      return Effect.as(deps.store.keepUnsaved(document, spent.stored), {
        _tag: "Stored" as const,
        document,
        source,
        version: spent.stored.version,
        problem: Option.some(problem),
      });
    }),
  );
  if (outcome._tag === "Replaced")
    return yield* afterReplacement(deps, spent, tokens, outcome.found);
  if (Option.isSome(outcome.problem)) {
    yield* Effect.logWarning(
      `refreshed tokens could not be saved and are kept in memory: ${outcome.problem.value.message}`,
    );
  }
  const { document, source, version } = outcome;
  const credential = yield* chatgptCredential(document, tokens, source);
  return { credential, stored: { document, source, version } };
});

const isSamePair = (a: AuthTokens | undefined, b: AuthTokens): boolean =>
  a !== undefined &&
  fingerprint(a.refreshToken) === fingerprint(b.refreshToken) &&
  fingerprint(a.accessToken) === fingerprint(b.accessToken);

/**
 * The store holds something newer, which stays. Tokens of a sign-in that is gone are revoked, best effort; those of one
 * that another program refreshed as well are not, since that would end the sign-in.
 */
const afterReplacement = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  spent: StoredSignIn,
  fresh: AuthTokens,
  found: Option.Option<StoredDocument>,
): Effect.fn.Return<NewSignIn, LoginError, HttpTransport> {
  const theirs = Option.getOrUndefined(found)?.document.tokens;
  const isSameSignIn = theirs !== undefined && theirs.loginOwnerId === spent.tokens.loginOwnerId;
  const current = yield* Effect.result(readSignIn(deps.store, spent.credential));
  const isSameOwner =
    current._tag === "Success" &&
    isSameAccount(current.success.credential.account, spent.credential.account);
  if (!(isSameSignIn && isSameOwner)) yield* revokeSignIn(deps.options, fresh);
  return yield* Effect.fromResult(current);
});

/**
 * Another program that does not take our locks has spent the token, and may still have to write what it received: the
 * store is read again four times within two seconds.
 */
const adoptAfterReuse = Effect.fnUntraced(function* (
  { deps, mine }: RefreshCall,
  rejection: RefreshRejected,
): Effect.fn.Return<NewSignIn, LoginError> {
  const look = Effect.flatMap(readSignIn(deps.store, mine), (stored) =>
    deps.spentTokens.errorOf(stored.tokens) === undefined
      ? Effect.succeed(stored)
      : Effect.fail(rejection),
  );
  return yield* Effect.retry(look, {
    schedule: Schedule.upTo(Schedule.exponential(100, 3), { times: 3 }),
    while: (error) => error === rejection,
  });
});
