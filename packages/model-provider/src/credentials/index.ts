import type { AuthManager } from "@agent-auth/login/manager";
import type { Credential } from "@agent-auth/login/credential";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { CredentialUnavailable, type SignError } from "../errors/index.ts";
import { isSignError } from "../signing/sign-error.ts";

/**
 * What signing needs of whoever keeps the credential. An auth manager, a token command and a fixed key all look
 * like this from here.
 */
export interface CredentialAccess {
  /** A credential that may be used at once, or `null` where `current` has to be asked. Costs next to nothing. */
  readonly snapshot: () => Credential | null;
  /** The credential the next request should use; `None` means that there is none. */
  readonly current: Effect.Effect<Option.Option<Credential>, SignError>;
  /** After a 401: a different credential worth a retry, or `None`. Concurrent callers share the work. */
  readonly recoverUnauthorized: (
    rejected: Credential,
  ) => Effect.Effect<Option.Option<Credential>, SignError>;
}

/** An auth manager whose verbs are Promises: `@agent-auth/login/promises`, or one of your own. */
export interface PromiseCredentials {
  readonly current: () => Promise<Credential | null | undefined>;
  readonly recoverUnauthorized: (rejected: Credential) => Promise<Credential | null | undefined>;
  /** The credential as last loaded. Without it every request waits for `current`. */
  readonly snapshot?: () => Credential | null | undefined;
}

/** Either face of an auth manager. */
export type AnyAuthManager = AuthManager["Service"] | PromiseCredentials;

/** Looks at either face of an auth manager in the way that signing needs. */
export const credentialAccess = (
  manager: AnyAuthManager,
  options: { readonly now?: () => number } = {},
): CredentialAccess => {
  const now = options.now ?? Date.now;
  return isPromiseFace(manager) ? fromPromises(manager, now) : fromService(manager, now);
};

const isPromiseFace = (manager: AnyAuthManager): manager is PromiseCredentials =>
  typeof manager.current === "function";

const fromService = (manager: AuthManager["Service"], now: () => number): CredentialAccess => ({
  snapshot: () => {
    const last = manager.snapshot();
    return Option.isSome(last) && !mayNeedRenewal(last.value, now) ? last.value : null;
  },
  current: manager.current,
  recoverUnauthorized: manager.recoverUnauthorized,
});

const fromPromises = (manager: PromiseCredentials, now: () => number): CredentialAccess => ({
  snapshot: () => {
    const last = manager.snapshot?.() ?? null;
    return last !== null && !mayNeedRenewal(last, now) ? last : null;
  },
  current: ask(() => manager.current()),
  recoverUnauthorized: (rejected) => ask(() => manager.recoverUnauthorized(rejected)),
});

const ask = (
  promise: () => Promise<Credential | null | undefined>,
): Effect.Effect<Option.Option<Credential>, SignError> =>
  Effect.tryPromise({
    try: promise,
    catch: (error) =>
      isSignError(error) ? error : new CredentialUnavailable({ reason: nameOf(error) }),
  }).pipe(Effect.map(Option.fromNullishOr));

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

const minute = 60_000;
const renewalAheadMs = 6 * minute;
const scheduledRenewalMs = 8 * 24 * 60 * minute - minute;

/**
 * Whether the manager might want to renew this credential (docs/protocol.md §9: `exp` within 5 minutes, or the last
 * refresh
 * 8 days ago where there is no `exp`), seen a minute early so that the manager is asked in time.
 */
const mayNeedRenewal = (credential: Credential, now: () => number): boolean => {
  if ("expiresAtMs" in credential && credential.expiresAtMs !== undefined)
    return credential.expiresAtMs - now() < renewalAheadMs;
  return (
    credential._tag === "Chatgpt" &&
    (credential.lastRefreshMs === undefined ||
      now() - credential.lastRefreshMs > scheduledRenewalMs)
  );
};

/** One credential for good: a provider's `env_key` or `experimental_bearer_token`. Nothing mends it after a 401. */
export const fixedCredential = (credential: Credential): CredentialAccess => ({
  snapshot: () => credential,
  current: Effect.succeed(Option.some(credential)),
  recoverUnauthorized: () => Effect.succeedNone,
});

/** No credential, for a provider that wants none. */
export const noCredential: CredentialAccess = {
  snapshot: () => null,
  current: Effect.succeedNone,
  recoverUnauthorized: () => Effect.succeedNone,
};
