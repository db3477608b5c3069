import type { AuthManager } from "@agent-auth/login/manager";
import type { Credential } from "@agent-auth/login/credential";
import { dueAtMs } from "@agent-auth/login/credential/expiry";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { CredentialUnavailable, isSignError, type SignError } from "../errors/index.ts";

/** What signing needs of a source of credentials: an auth manager, a token command or a fixed key. */
export interface CredentialAccess {
  /** A credential that can be used without waiting, or `null` if `current` has to be asked. */
  readonly snapshot: () => Credential | null;
  /** The credential for the next request; `None` if there is none. */
  readonly current: Effect.Effect<Option.Option<Credential>, SignError>;
  /** After a 401: another credential for one more attempt, or `None`. Concurrent callers share the work. */
  readonly recoverUnauthorized: (
    rejected: Credential,
  ) => Effect.Effect<Option.Option<Credential>, SignError>;
}

/** An auth manager with a Promise interface: `@agent-auth/login/promises`, or your own. */
export interface PromiseCredentials {
  readonly current: () => Promise<Credential | null | undefined>;
  readonly recoverUnauthorized: (rejected: Credential) => Promise<Credential | null | undefined>;
  /** The credential as last loaded. Without it, every request waits for `current`. */
  readonly snapshot?: () => Credential | null | undefined;
  /** As `snapshot`, if a request may be sent with it at once. It is asked instead of `snapshot` if both are present. */
  readonly requestSnapshot?: () => Credential | null | undefined;
}

/** An auth manager with either interface. */
export type AnyAuthManager = AuthManager["Service"] | PromiseCredentials;

/**
 * Returns the credentials of an auth manager, whichever interface it has. `now` returns milliseconds since the epoch;
 * default `Date.now`.
 *
 * @example
 * ```ts
 * import { credentialAccess } from "@agent-auth/model-provider/credentials";
 *
 * const signedOut = credentialAccess({
 *   current: () => Promise.resolve(null),
 *   recoverUnauthorized: () => Promise.resolve(null),
 * });
 * signedOut.snapshot(); // null
 * ```
 */
export const credentialAccess = (
  manager: AnyAuthManager,
  options: { readonly now?: () => number } = {},
): CredentialAccess => {
  const now = options.now ?? Date.now;
  // An expiry that is not a number counts as due.
  const ifFresh = (credential: Credential | null): Credential | null =>
    credential !== null && now() < dueAtMs(credential) ? credential : null;
  if (!isPromiseManager(manager))
    return {
      snapshot: () => ifFresh(Option.getOrNull(manager.requestSnapshot())),
      current: manager.current,
      recoverUnauthorized: manager.recoverUnauthorized,
    };
  return {
    snapshot: () => ifFresh((manager.requestSnapshot ?? manager.snapshot)?.() ?? null),
    current: ask(() => manager.current()),
    recoverUnauthorized: (rejected) => ask(() => manager.recoverUnauthorized(rejected)),
  };
};

const isPromiseManager = (manager: AnyAuthManager): manager is PromiseCredentials =>
  typeof manager.current === "function";

const ask = (
  promise: () => Promise<Credential | null | undefined>,
): Effect.Effect<Option.Option<Credential>, SignError> =>
  Effect.tryPromise({
    try: promise,
    catch: (error) =>
      isSignError(error) ? error : new CredentialUnavailable({ reason: nameOf(error) }),
  }).pipe(Effect.map(Option.fromNullishOr));

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

/**
 * Returns access to one credential that never changes, such as a provider's `env_key`. It cannot be recovered after a 401.
 *
 * @example
 * ```ts
 * import { fixedCredential } from "@agent-auth/model-provider/credentials";
 * import * as Redacted from "effect/Redacted";
 *
 * const access = fixedCredential({
 *   _tag: "Bearer",
 *   token: Redacted.make("token"),
 *   account: { isFedrampAccount: false },
 *   source: { _tag: "External", name: "my program" },
 * });
 * access.snapshot()?._tag; // "Bearer"
 * ```
 */
export const fixedCredential = (credential: Credential): CredentialAccess => ({
  snapshot: () => credential,
  current: Effect.succeed(Option.some(credential)),
  recoverUnauthorized: () => Effect.succeedNone,
});

/** Access to no credential, for a provider that needs none. */
export const noCredential: CredentialAccess = {
  snapshot: () => null,
  current: Effect.succeedNone,
  recoverUnauthorized: () => Effect.succeedNone,
};
