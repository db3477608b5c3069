import {
  callerLayer,
  type CallerOptions,
} from "@agent-auth/agent-identity/promises/caller-context";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as ManagedRuntime from "effect/ManagedRuntime";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Stream from "effect/Stream";
import {
  AuthManager,
  layer,
  type AuthManagerLayerOptions,
  type AuthManagerOptions,
  type Inspection,
  type LogoutResult,
  type RefreshReason,
  type SavedSignIn,
  type StoredChatgptSignIn,
  type Workspace,
} from "../manager/index.ts";
import { codexHomeOf } from "../manager/types.ts";
import { loadConfig, type Config } from "../config/index.ts";
import type { Credential } from "../credential/index.ts";
import { loadEnvironment, type LoginEnvironment, type Variables } from "../config/environment.ts";
import { type ConfigError, isLoginError, type LoginError, ManagerClosed } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import type { LoginMethod } from "../config/restrictions.ts";
import { fromPromiseProvider, type PromiseAuthProvider } from "./external-provider.ts";
import type { PromiseRefreshLock, PromiseStorage, PromiseStore } from "./storage.ts";
import { toChatgptTokens, toRedacted, type PlainChatgptTokens, type Secret } from "./secrets.ts";

export {
  createKeptAccounts,
  type CreateKeptAccountsOptions,
  type PromiseKeptAccounts,
} from "./accounts.ts";
export { isLoginError } from "../errors/index.ts";
export type { LoginMethod } from "../config/restrictions.ts";
export type { PromiseAuthProvider } from "./external-provider.ts";
export type { PlainChatgptTokens, Secret } from "./secrets.ts";
export type {
  PromiseRefreshLease,
  PromiseRefreshLock,
  PromiseStorage,
  PromiseStore,
} from "./storage.ts";
export {
  signInWithBrowser,
  signInWithDeviceCode,
  type PromiseBrowserSignInOptions,
  type PromiseDeviceSignInOptions,
} from "./sign-in.ts";

type PreparedOptions = Omit<AuthManagerOptions, "config" | "environment" | "externalProvider">;

/** `AuthManagerOptions` for programs that have not read the environment and the configuration themselves. */
export interface CreateAuthManagerOptions extends PreparedOptions, CallerOptions {
  /** Default: `variables`, parsed. */
  readonly environment?: LoginEnvironment;
  /** Default: `process.env`. */
  readonly variables?: Variables;
  /** Default: `config.toml` of `codexHome`, else of CODEX_HOME, under `configOverrides`. */
  readonly config?: Config;
  /** `dotted.key=value`, as after `-c`. Default none. */
  readonly configOverrides?: ReadonlyArray<string>;
  readonly externalProvider?: PromiseAuthProvider;
  /** A store with its locks, such as that of `@agent-auth/login-sql`, instead of those of the configuration. */
  readonly storage?: PromiseStorage;
  /** Your own store, instead of the one of the configuration. Needs `lock`. */
  readonly store?: PromiseStore;
  /**
   * The lock for refreshes with `store`. `process` means that only one process ever uses the store. Without a lock that
   * all processes share, two of them can spend the same refresh token, which ends the sign-in.
   */
  readonly lock?: PromiseRefreshLock | "process";
}

/** Options of every call. An abort ends the wait. Work that other calls also wait for continues. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * `AuthManager` with promises: the same methods, `null` for "signed out", and rejections with the same error classes. An
 * aborted call rejects with the signal's reason.
 */
export interface PromiseAuthManager extends AsyncDisposable {
  /**
   * The credential for the next request: loaded once, refreshed when it is due; `null` if signed out. A failed
   * load is the rejection of every call until `reload` or a login.
   */
  readonly current: (call?: CallOptions) => Promise<Credential | null>;
  /** The credential as last loaded, at once; `null` also before the first load and after a failed one. */
  readonly snapshot: () => Credential | null;
  /** The `snapshot` if a request may be sent with it at once; `null` if `current` must be called instead. */
  readonly requestSnapshot: () => Credential | null;
  /** Loads the credential again. */
  readonly reload: (call?: CallOptions) => Promise<Credential | null>;
  /**
   * Describes the credential that the next request would use; `null` if signed out. Nothing is refreshed, removed, stored
   * or made current.
   */
  readonly inspect: (call?: CallOptions) => Promise<Inspection | null>;
  /** Spends the refresh token, or adopts the tokens that another process received for it. */
  readonly refresh: (reason: RefreshReason, call?: CallOptions) => Promise<Credential>;
  /**
   * After a 401: another credential of the same account for one more attempt, or `null` if there is none. `rejected` is
   * the credential that the request carried. Callers share one recovery. Rejects, after a warning, if that fails; with
   * `NewCredentialRejected` if the rejected credential was itself obtained like this moments ago.
   */
  readonly recoverUnauthorized: (
    rejected: Credential,
    call?: CallOptions,
  ) => Promise<Credential | null>;
  /**
   * Rejects if a login would fail: an environment variable overrides it, a restriction forbids it, or the store cannot
   * be read or written. Call it before `signInWithBrowser` or `signInWithDeviceCode` sends the user to a browser.
   */
  readonly checkLogin: (method: LoginMethod, call?: CallOptions) => Promise<void>;
  /** Stores an API key. It is not checked before the first request. */
  readonly loginWithApiKey: (apiKey: Secret, call?: CallOptions) => Promise<Credential>;
  /** Verifies and stores an agent identity JWT or a personal access token; the prefix tells which it is. */
  readonly loginWithAccessToken: (token: Secret, call?: CallOptions) => Promise<Credential>;
  /** As `loginWithAccessToken`, but registers no task: for programs that end after the login. */
  readonly saveAccessToken: (token: Secret, call?: CallOptions) => Promise<SavedSignIn>;
  /**
   * Stores the tokens that `signInWithBrowser` and `signInWithDeviceCode` return, and revokes those that they replace.
   */
  readonly loginWithChatgptTokens: (
    tokens: PlainChatgptTokens,
    call?: CallOptions,
  ) => Promise<StoredChatgptSignIn>;
  /** The workspaces of the user of the stored ChatGPT sign-in. */
  readonly workspaces: (call?: CallOptions) => Promise<ReadonlyArray<Workspace>>;
  /** Switches the stored ChatGPT sign-in to another workspace of the same user, and makes it current. */
  readonly switchWorkspace: (workspaceId: string, call?: CallOptions) => Promise<Credential>;
  /** Removes the stored credential from every place, then revokes it. */
  readonly logout: (call?: CallOptions) => Promise<LogoutResult>;
  /** Lets another program supply ChatGPT tokens, which are never stored, until `null`, a login or a logout. */
  readonly setExternalProvider: (
    provider: PromiseAuthProvider | null,
    call?: CallOptions,
  ) => Promise<void>;
  /**
   * Calls the listener at every change from now on, until the returned function is called. If the listener throws, the
   * class of the error is logged as a warning, and the listener stays subscribed.
   */
  readonly subscribe: (listener: (credential: Credential | null) => void) => () => void;
  /** Every change from the first `next()` on. Leaving the loop ends the subscription. */
  readonly changes: () => AsyncIterable<Credential | null>;
  /** Ends the manager. Waits for what must not be interrupted, such as storing refreshed tokens. */
  readonly close: () => Promise<void>;
}

/**
 * Returns a manager. The first load begins at once unless `loadAtStart` is false, and calls wait for it. Throws only a
 * `TypeError`, for options that do not go together: another failure, a broken `config.toml` included, is the rejection of
 * every call.
 *
 * @example
 * ```ts
 * import { createAuthManager } from "@agent-auth/login/promises";
 *
 * await using manager = createAuthManager({
 *   environmentCredentials: true,
 *   variables: { CODEX_API_KEY: "sk-example" },
 * });
 * const credential = await manager.current();
 * console.log(credential?._tag); // ApiKey
 * ```
 */
export const createAuthManager = (options: CreateAuthManagerOptions): PromiseAuthManager => {
  const storage = storageOf(options);
  // Merged into the runtime's context, so that later calls use the caller's context as well.
  const runtime = ManagedRuntime.make(
    Layer.provideMerge(
      Layer.unwrap(
        Effect.map(prepare(options), (prepared) => layer({ ...prepared, ...compact({ storage }) })),
      ),
      callerLayer(options),
    ),
  );
  let manager: AuthManager["Service"] | undefined;
  let isClosed = false;
  // If it cannot be built, every call rejects.
  runtime.runFork(
    Effect.map(AuthManager, (service) => {
      if (!isClosed) manager = service;
    }),
  );

  const run = <A>(
    use: (manager: AuthManager["Service"]) => Effect.Effect<A, LoginError>,
    call: CallOptions = {},
  ): Promise<A> =>
    isClosed
      ? Promise.reject(new ManagerClosed())
      : runtime.runPromise(AuthManager.use(use), call).catch((error: unknown) => {
          call.signal?.throwIfAborted();
          // Closing interrupts running operations. Callers get `ManagerClosed` instead of Effect's error for an
          // interruption.
          throw isClosed && !isLoginError(error) ? new ManagerClosed() : error;
        });
  const close = () => {
    isClosed = true;
    manager = undefined;
    return runtime.dispose();
  };
  const changes = Stream.map(
    Stream.unwrap(Effect.map(AuthManager, (manager) => manager.changes)),
    Option.getOrNull,
  );

  return {
    current: (call) => run((manager) => Effect.map(manager.current, Option.getOrNull), call),
    snapshot: () => (manager === undefined ? null : Option.getOrNull(manager.snapshot())),
    requestSnapshot: () =>
      manager === undefined ? null : Option.getOrNull(manager.requestSnapshot()),
    reload: (call) => run((manager) => Effect.map(manager.reload, Option.getOrNull), call),
    inspect: (call) => run((manager) => Effect.map(manager.inspect, Option.getOrNull), call),
    refresh: (reason, call) => run((manager) => manager.refresh(reason), call),
    recoverUnauthorized: (rejected, call) =>
      run((manager) => Effect.map(manager.recoverUnauthorized(rejected), Option.getOrNull), call),
    checkLogin: (method, call) => run((manager) => manager.checkLogin(method), call),
    loginWithApiKey: (apiKey, call) =>
      run((manager) => manager.loginWithApiKey(toRedacted(apiKey, "API key")), call),
    loginWithAccessToken: (token, call) =>
      run((manager) => manager.loginWithAccessToken(toRedacted(token, "access token")), call),
    saveAccessToken: (token, call) =>
      run((manager) => manager.saveAccessToken(toRedacted(token, "access token")), call),
    loginWithChatgptTokens: (tokens, call) =>
      run((manager) => manager.loginWithChatgptTokens(toChatgptTokens(tokens)), call),
    workspaces: (call) => run((manager) => manager.workspaces, call),
    switchWorkspace: (workspaceId, call) =>
      run((manager) => manager.switchWorkspace(workspaceId), call),
    logout: (call) => run((manager) => manager.logout, call),
    setExternalProvider: (provider, call) => {
      const external = provider === null ? null : fromPromiseProvider(provider);
      return run((manager) => manager.setExternalProvider(external), call);
    },
    subscribe: (listener) => {
      const fiber = runtime.runFork(
        Stream.runForEach(changes, (credential) => tell(listener, credential)),
      );
      return () => void runtime.runFork(Fiber.interrupt(fiber));
    },
    changes: () => ({
      async *[Symbol.asyncIterator]() {
        const context = await runtime.context();
        yield* Stream.toAsyncIterableWith(changes, context);
      },
    }),
    close,
    [Symbol.asyncDispose]: close,
  };
};

const tell = (
  listener: (credential: Credential | null) => void,
  credential: Credential | null,
): Effect.Effect<void> =>
  Effect.try({
    try: () => {
      const returned: unknown = listener(credential);
      // An async function fits the type as well. Its rejection would otherwise end the process.
      return returned instanceof Promise ? returned.then(() => undefined, nameOfThrown) : undefined;
    },
    catch: nameOfThrown,
  }).pipe(
    Effect.tap((failure) => Effect.forkDetach(reportLater(failure))), // changes do not wait for it
    Effect.catch(reportListener),
    Effect.asVoid,
  );

/** Reports the name of the error that an asynchronous listener rejects with. */
const reportLater = (failure: Promise<string | undefined> | undefined): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.promise(async () => failure),
    (name) => (name === undefined ? Effect.void : reportListener(name)),
  );

const reportListener = (name: string): Effect.Effect<void> =>
  Effect.logWarning(`a listener failed (${name})`);

/** Without the message: the listener was given a credential, which the message may quote. */
const nameOfThrown = (thrown: unknown): string => {
  if (!(thrown instanceof Error)) return typeof thrown;
  const { name } = thrown.constructor;
  return isLoginError(thrown) ? `${name}, ${thrown.code}` : name;
};

/**
 * Returns the text of a secret, for the header or request that carries it.
 *
 * @example
 * ```ts
 * import { createAuthManager, revealSecret } from "@agent-auth/login/promises";
 *
 * const variables = { CODEX_API_KEY: "sk-example" };
 * await using manager = createAuthManager({ environmentCredentials: true, variables });
 * const credential = await manager.current();
 * if (credential?._tag === "ApiKey") revealSecret(credential.apiKey); // "sk-example"
 * ```
 */
export const revealSecret = (secret: Redacted.Redacted): string => Redacted.value(secret);

/** The storage that the options supply; `undefined` for that of the configuration. */
const storageOf = ({
  lock,
  storage,
  store,
}: CreateAuthManagerOptions): AuthManagerLayerOptions["storage"] => {
  if ((store === undefined) !== (lock === undefined))
    throw new TypeError('store and lock must be given together; lock may be "process"');
  if (store !== undefined && lock !== undefined) {
    if (storage !== undefined) throw new TypeError("storage and store must not be given together");
    return Layer.unwrap(Effect.map(adapters, ({ fromPromises }) => fromPromises(store, lock)));
  }
  return storage === undefined
    ? undefined
    : Layer.unwrap(Effect.map(adapters, ({ layerOfStorage }) => layerOfStorage(storage)));
};

const adapters = Effect.promise(() => import("./storage.ts"));

const prepare = Effect.fnUntraced(function* (
  options: CreateAuthManagerOptions,
): Effect.fn.Return<AuthManagerOptions, ConfigError> {
  const {
    configOverrides,
    context: _,
    externalProvider,
    lock: ___,
    onWarning: __,
    storage: ____,
    store: _____,
    variables,
    ...rest
  } = options;
  const environment =
    options.environment ??
    loadEnvironment({ ...(variables ?? process.env), ...compact({ CODEX_HOME: rest.codexHome }) });
  const config =
    options.config ??
    (yield* loadConfig({
      ...environment,
      codexHome: codexHomeOf({ ...rest, environment }),
      ...compact({ overrides: configOverrides }),
    }));
  const provider =
    externalProvider === undefined ? undefined : fromPromiseProvider(externalProvider);
  return { ...rest, environment, config, ...compact({ externalProvider: provider }) };
});
