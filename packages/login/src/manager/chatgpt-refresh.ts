import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import type { AuthDocument, AuthTokens } from "../storage/auth-json/index.ts";
import type { CredentialStore, StoredDocument } from "../storage/index.ts";
import type { ChatgptCredential } from "../credential/index.ts";
import {
  CredentialUnusable,
  type LoginError,
  RefreshFailed,
  type RefreshRejected,
} from "../errors/index.ts";
import type { HomeLock, HomeLockHeld } from "../storage/lock/index.ts";
import { compact } from "../internal/compact.ts";
import { fingerprint } from "../storage/fingerprint.ts";
import { tokenAuthority } from "../oauth/authority.ts";
import { spendRefreshToken } from "../oauth/refresh.ts";
import type { RefreshedTokens } from "../oauth/refresh-response.ts";
import { chatgptCredential } from "./chatgpt-credential.ts";
import type { AuthManagerOptions, RefreshReason } from "./types.ts";
import type { Rejections } from "./rejections.ts";
import { isExpired } from "../credential/expiry.ts";
import { readSignIn, type SignIn } from "./stored-sign-in.ts";

export interface RefreshDeps {
  readonly options: AuthManagerOptions;
  readonly store: CredentialStore["Service"];
  readonly lock: HomeLock["Service"];
  readonly rejections: Rejections;
}

/** The renewed credential, and what the store held of it when its lock was let go. */
export type Renewed = Pick<SignIn, "credential" | "stored">;

/**
 * Renews a ChatGPT sign-in once for everybody (docs/protocol.md §9). Under the home lock the store is read again; a
 * pair that somebody else put there meanwhile is adopted, else the refresh token is spent and the new pair saved.
 * Fails with `RefreshAccountChanged` where the store no longer holds the same account's sign-in.
 */
export const refreshChatgpt = Effect.fn("login.refreshChatgpt")(function* (
  deps: RefreshDeps,
  mine: ChatgptCredential,
  reason: RefreshReason,
): Effect.fn.Return<Renewed, LoginError, HttpTransport> {
  const known = deps.rejections.last();
  const attempt = deps.lock.withLock(
    Effect.flatMap(readSignIn(deps.store, mine), (theirs) =>
      adoptOrSpend(deps, mine, theirs, reason),
    ),
  );
  return yield* Effect.catchTag(attempt, "RefreshRejected", (rejection) =>
    rejection.reason === "reused" && rejection !== known
      ? adoptAfterReuse(deps, mine, rejection)
      : Effect.fail(rejection),
  );
});

const adoptOrSpend = Effect.fnUntraced(function* (
  deps: RefreshDeps,
  mine: ChatgptCredential,
  theirs: SignIn,
  reason: RefreshReason,
): Effect.fn.Return<Renewed, LoginError, HttpTransport | HomeLockHeld> {
  const nowMs = yield* Clock.currentTimeMillis;
  // Also one that is due soon: an authority may issue tokens that live for minutes, and each process would spend one.
  if (isOtherPair(mine, theirs.credential) && !isExpired(theirs.credential, nowMs)) {
    return theirs;
  }
  const known = deps.rejections.of(theirs.tokens);
  if (known !== undefined) return yield* known;
  yield* deps.store.savePending;
  yield* deps.store.checkWritable;
  return yield* Effect.uninterruptible(spendAndSave(deps, theirs, reason));
});

const isOtherPair = (mine: ChatgptCredential, theirs: ChatgptCredential): boolean =>
  fingerprint(mine.accessToken) !== fingerprint(theirs.accessToken);

/** From here to the end nothing may interrupt: the authority has forgotten the old token once it has answered. */
const spendAndSave = Effect.fnUntraced(function* (
  deps: RefreshDeps,
  { credential, stored, tokens }: SignIn,
  reason: RefreshReason,
): Effect.fn.Return<Renewed, LoginError, HttpTransport | HomeLockHeld> {
  const { environment, allowInsecureHttp = false } = deps.options;
  if (Redacted.value(tokens.refreshToken) === "") {
    const reason = "tokens.refresh_token is empty";
    return yield* new CredentialUnusable({ source: stored.source, reason });
  }
  const authority = tokenAuthority(environment, tokens.oauthProvenance, allowInsecureHttp);
  if (authority === undefined) {
    return yield* new CredentialUnusable({
      source: stored.source,
      reason: "tokens.oauth_provenance.issuer must be an https URL",
    });
  }
  const answer = yield* spendRefreshToken({
    url: authority.tokenUrl,
    clientId: authority.clientId,
    refreshToken: tokens.refreshToken,
    reason,
    ...compact({ accountId: credential.account.accountId }),
  }).pipe(
    Effect.tapErrorTag("RefreshRejected", (rejection) =>
      Effect.sync(() => deps.rejections.remember(tokens, rejection)),
    ),
  );
  return yield* keepAnswer(deps, stored, tokens, answer);
});

const keepAnswer = Effect.fnUntraced(function* (
  deps: RefreshDeps,
  spent: StoredDocument,
  tokens: AuthTokens,
  answer: RefreshedTokens,
): Effect.fn.Return<Renewed, LoginError, HomeLockHeld> {
  const nowMs = yield* Clock.currentTimeMillis;
  const document: AuthDocument = {
    ...spent.document,
    tokens: { ...tokens, ...answer },
    lastRefresh: new Date(nowMs).toISOString(),
  };
  const { problem, source } = yield* deps.store.saveRefreshed(document, spent);
  if (Option.isSome(problem)) {
    yield* Effect.logWarning(
      `refreshed tokens could not be saved and are kept in memory: ${problem.value.message}`,
    );
  }
  if (answer.accessToken === undefined) {
    return yield* new RefreshFailed({ attempts: 1, reason: "the answer holds no access token" });
  }
  const credential = yield* chatgptCredential(document, document.tokens ?? tokens, source);
  return { credential, stored: { document, source } };
});

/** Milliseconds before each look at the store: whoever spent the token first may still be writing. */
const looksAfterReuse = [0, 100, 400, 1_000];

/**
 * The token was spent by somebody who does not share our lock, or has to wait for it before it can write, as Codex
 * does: so the store is looked at after our lock is free again.
 */
const adoptAfterReuse = Effect.fnUntraced(function* (
  deps: RefreshDeps,
  mine: ChatgptCredential,
  rejection: RefreshRejected,
): Effect.fn.Return<Renewed, LoginError> {
  for (const pauseMs of looksAfterReuse) {
    yield* Effect.sleep(pauseMs);
    const theirs = yield* readSignIn(deps.store, mine);
    if (deps.rejections.of(theirs.tokens) === undefined) return theirs;
  }
  return yield* rejection;
});
