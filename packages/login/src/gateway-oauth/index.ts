import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import type * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import type { CodexHome } from "../config/codex-home.ts";
import type { BearerCredential } from "../credential/index.ts";
import { type GatewayError, GatewaySignInRequired } from "../errors/gateway.ts";
import { type GatewayStore, type GatewayTokenSet, openGatewayStore } from "./store.ts";
import { failed, type GatewayClient, postForm, readTokens } from "./token-endpoint.ts";

export { signInToGateway, type GatewayBrowserOptions } from "./browser.ts";
export { signInToGatewayWithDevice, type GatewayDevicePrompt } from "./device.ts";
export { gatewayCredentialId } from "./store.ts";
export type { GatewayClient } from "./token-endpoint.ts";

/** The token of a gateway sign-in, refreshed when it is due. */
export interface GatewayTokens {
  /** The token if it can be used without waiting. */
  readonly snapshot: () => BearerCredential | null;
  /** The token for the next request. Fails with `GatewaySignInRequired` if only a new sign-in helps. */
  readonly current: Effect.Effect<Option.Option<BearerCredential>, GatewayError>;
  /** After a 401: another token, or `None`. Concurrent callers share one refresh. */
  readonly recoverUnauthorized: (
    rejected: BearerCredential,
  ) => Effect.Effect<Option.Option<BearerCredential>, GatewayError>;
}

export interface GatewayOptions extends GatewayClient {
  readonly codexHome: CodexHome;
}

/** Milliseconds before it expires at which a token is due for a refresh, as in Codex. */
const refreshAheadMs = 30_000;

/**
 * Returns the tokens of the sign-in to a gateway. They come from the store that Codex uses, and are refreshed under the lock
 * that Codex takes; a token that another process stored meanwhile is used instead.
 *
 * @example
 * ```ts
 * import type { GatewayOptions } from "@agent-auth/login/gateway-oauth";
 * import { makeGatewayTokens } from "@agent-auth/login/gateway-oauth";
 * import * as Effect from "effect/Effect";
 *
 * const tokenOf = (options: GatewayOptions) =>
 *   Effect.flatMap(makeGatewayTokens(options), (tokens) => tokens.current);
 * ```
 */
export const makeGatewayTokens = Effect.fnUntraced(function* (
  options: GatewayOptions,
): Effect.fn.Return<GatewayTokens, never, HttpTransport> {
  const transport = yield* HttpTransport;
  const store = openGatewayStore(options.codexHome, options.config);
  const turns = Semaphore.makeUnsafe(1);
  let held: { readonly tokens: GatewayTokenSet; readonly credential: BearerCredential } | undefined;

  const hold = (tokens: GatewayTokenSet): BearerCredential => {
    if (held === undefined || !isSame(held.tokens, tokens))
      held = { tokens, credential: credentialOf(options, tokens) };
    else held = { tokens, credential: held.credential };
    return held.credential;
  };
  const usable = (nowMs: number): BearerCredential | null =>
    held !== undefined && isFresh(held.tokens, nowMs) ? held.credential : null;
  const obtain = (rejected?: BearerCredential) =>
    turns
      .withPermit(
        Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
          const credential = usable(nowMs);
          return credential !== null && credential !== rejected
            ? Effect.succeed(credential)
            : Effect.map(loadOrRefresh(options, store, rejected), hold);
        }),
      )
      .pipe(Effect.provideService(HttpTransport, transport));
  return {
    snapshot: () => usable(Date.now()),
    current: Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      const credential = usable(nowMs);
      return credential === null ? Effect.asSome(obtain()) : Effect.succeedSome(credential);
    }),
    recoverUnauthorized: (rejected) => Effect.asSome(obtain(rejected)),
  };
});

const credentialOf = (
  { providerId }: GatewayOptions,
  tokens: GatewayTokenSet,
): BearerCredential => ({
  _tag: "Bearer",
  token: tokens.accessToken,
  account: { isFedrampAccount: false },
  source: { _tag: "External", name: `gateway sign-in of ${providerId}` },
});

const isSame = (a: GatewayTokenSet, b: GatewayTokenSet): boolean =>
  Redacted.value(a.accessToken) === Redacted.value(b.accessToken);

const isFresh = ({ expiresAtMs }: GatewayTokenSet, nowMs: number): boolean =>
  expiresAtMs === undefined || nowMs < expiresAtMs - refreshAheadMs;

/** Error codes of RFC 6749 §5.2 after which a refresh token is of no use any more. */
const finalCodes: ReadonlySet<string> = new Set([
  "invalid_grant",
  "unauthorized_client",
  "unsupported_grant_type",
]);

const loadOrRefresh = Effect.fn("login.gatewayToken")(function* (
  options: GatewayOptions,
  store: GatewayStore,
  rejected: BearerCredential | undefined,
): Effect.fn.Return<GatewayTokenSet, GatewayError, HttpTransport> {
  const isUsable = (tokens: GatewayTokenSet, nowMs: number): boolean =>
    isFresh(tokens, nowMs) &&
    Redacted.value(tokens.accessToken) !==
      (rejected === undefined ? undefined : Redacted.value(rejected.token));
  const stored = yield* store.load;
  if (stored !== undefined && isUsable(stored, yield* Clock.currentTimeMillis)) return stored;
  const signInRequired = new GatewaySignInRequired({ providerId: options.providerId });
  if (stored === undefined) return yield* signInRequired;
  return yield* Effect.scoped(
    Effect.gen(function* () {
      yield* store.lock;
      const now = yield* store.load;
      if (now === undefined) return yield* signInRequired;
      if (isUsable(now, yield* Clock.currentTimeMillis)) return now;
      if (now.refreshToken === undefined) return yield* signInRequired;
      // The only copy of the new tokens is in the response, so it is stored before anything can interrupt.
      return yield* Effect.uninterruptible(refresh(options, store, now, now.refreshToken));
    }),
  );
});

const refresh = Effect.fnUntraced(function* (
  options: GatewayOptions,
  store: GatewayStore,
  before: GatewayTokenSet,
  refreshToken: Redacted.Redacted,
): Effect.fn.Return<GatewayTokenSet, GatewayError, HttpTransport> {
  const { resource, tokenUrl } = options.config;
  const answer = yield* postForm(options, "refresh", tokenUrl, {
    grant_type: "refresh_token",
    refresh_token: Redacted.value(refreshToken),
    resource,
  });
  if (answer._tag === "Refused")
    return yield* finalCodes.has(answer.error)
      ? new GatewaySignInRequired({ providerId: options.providerId })
      : failed(options, "refresh", `the server responded with ${answer.error}`);
  const tokens = yield* readTokens(options, "refresh", answer.body, before);
  yield* store.save(tokens);
  return tokens;
});

/**
 * Stores the tokens of a finished sign-in, in place of those before.
 *
 * @example
 * ```ts
 * import { type GatewayOptions, saveGatewaySignIn, signInToGateway } from "@agent-auth/login/gateway-oauth";
 * import * as Effect from "effect/Effect";
 *
 * const signIn = (gateway: GatewayOptions) =>
 *   Effect.flatMap(
 *     signInToGateway({ ...gateway, onAuthorizeUrl: (url) => Effect.log(`Open ${url}`) }),
 *     (tokens) => saveGatewaySignIn(gateway, tokens),
 *   );
 * ```
 */
export const saveGatewaySignIn = (
  { codexHome, config }: GatewayOptions,
  tokens: GatewayTokenSet,
): Effect.Effect<void, GatewayError> => {
  const store = openGatewayStore(codexHome, config);
  return Effect.scoped(Effect.andThen(store.lock, store.save(tokens)));
};

/**
 * Fails if a sign-in could not be stored, or if another program, Codex included, is signing in to the same gateway. Until
 * the scope closes, other programs cannot begin one. Run it before the user is sent to a browser.
 *
 * @example
 * ```ts
 * import { beginGatewaySignIn, type GatewayOptions, saveGatewaySignIn, signInToGateway } from "@agent-auth/login/gateway-oauth";
 * import * as Effect from "effect/Effect";
 *
 * const signIn = (gateway: GatewayOptions) =>
 *   Effect.gen(function* () {
 *     yield* beginGatewaySignIn(gateway);
 *     const onAuthorizeUrl = (url: string) => Effect.log(`Open ${url}`);
 *     yield* saveGatewaySignIn(gateway, yield* signInToGateway({ ...gateway, onAuthorizeUrl }));
 *   }).pipe(Effect.scoped);
 * ```
 */
export const beginGatewaySignIn = ({
  codexHome,
  config,
}: GatewayOptions): Effect.Effect<void, GatewayError, Scope.Scope> => {
  const store = openGatewayStore(codexHome, config);
  return Effect.andThen(store.check, store.signInLock);
};

/**
 * Removes the sign-in to a gateway from this machine. Returns false if there was none.
 *
 * @example
 * ```ts
 * import { type GatewayOptions, removeGatewaySignIn } from "@agent-auth/login/gateway-oauth";
 * import * as Effect from "effect/Effect";
 *
 * const signOut = (gateway: GatewayOptions): Promise<boolean> =>
 *   Effect.runPromise(removeGatewaySignIn(gateway));
 * ```
 */
export const removeGatewaySignIn = ({
  codexHome,
  config,
}: GatewayOptions): Effect.Effect<boolean, GatewayError> => {
  const store = openGatewayStore(codexHome, config);
  return Effect.scoped(Effect.andThen(store.lock, store.remove));
};

/**
 * Returns what is known of the stored sign-in to a gateway: when its token expires, and whether it can be refreshed.
 *
 * @example
 * ```ts
 * import { type GatewayOptions, inspectGatewaySignIn } from "@agent-auth/login/gateway-oauth";
 * import * as Effect from "effect/Effect";
 * import * as Option from "effect/Option";
 *
 * const isSignedIn = (gateway: GatewayOptions): Promise<boolean> =>
 *   Effect.runPromise(Effect.map(inspectGatewaySignIn(gateway), Option.isSome));
 * ```
 */
export const inspectGatewaySignIn = ({
  codexHome,
  config,
}: GatewayOptions): Effect.Effect<
  Option.Option<{
    readonly expiresAtMs?: number;
    readonly canRefresh: boolean;
    readonly path: string;
  }>,
  GatewayError
> => {
  const store = openGatewayStore(codexHome, config);
  return Effect.map(store.load, (tokens) =>
    tokens === undefined
      ? Option.none()
      : Option.some({
          path: store.path,
          canRefresh: tokens.refreshToken !== undefined,
          ...(tokens.expiresAtMs !== undefined && { expiresAtMs: tokens.expiresAtMs }),
        }),
  );
};
