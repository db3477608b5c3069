import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as Logger from "effect/Logger";
import * as ManagedRuntime from "effect/ManagedRuntime";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Stream from "effect/Stream";
import {
  AuthManager,
  layer,
  type AuthManagerOptions,
  type LogoutResult,
  type RefreshReason,
  type SavedSignIn,
  type StoredChatgptSignIn,
} from "../manager/index.ts";
import { codexHomeOf } from "../manager/types.ts";
import { loadConfig, type Config } from "../config/index.ts";
import type { Credential } from "../credential/index.ts";
import { loadEnvironment, type LoginEnvironment, type Variables } from "../config/environment.ts";
import { type ConfigError, isLoginError, type LoginError, ManagerClosed } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import type { LoginMethod } from "../config/restrictions.ts";
import { fromPromiseProvider, type PromiseAuthProvider } from "./external-provider.ts";
import { toChatgptTokens, toRedacted, type PlainChatgptTokens, type Secret } from "./secrets.ts";

export { isLoginError } from "../errors/index.ts";
export type { LoginMethod } from "../config/restrictions.ts";
export type { PromiseAuthProvider } from "./external-provider.ts";
export type { PlainChatgptTokens, Secret } from "./secrets.ts";
export {
  signInWithBrowser,
  signInWithDeviceCode,
  type PromiseBrowserSignInOptions,
  type PromiseDeviceSignInOptions,
} from "./sign-in.ts";

type PreparedOptions = Omit<AuthManagerOptions, "config" | "environment" | "externalProvider">;

/** As `AuthManagerOptions`, for programs that have not read the environment and the configuration themselves. */
export interface CreateAuthManagerOptions extends PreparedOptions {
  /** Default: `variables`, parsed. */
  readonly environment?: LoginEnvironment;
  /** Default: `process.env`. */
  readonly variables?: Variables;
  /** Default: `config.toml` of `codexHome`, else of CODEX_HOME, under `configOverrides`. */
  readonly config?: Config;
  /** `dotted.key=value`, as after `-c`. Default none. */
  readonly configOverrides?: ReadonlyArray<string>;
  readonly externalProvider?: PromiseAuthProvider;
  /**
   * Told, in one line without secrets, of what went wrong and was got round. Default: a line on stderr. What it throws
   * is ignored.
   */
  readonly onWarning?: (message: string) => void;
}

/** Every verb may be told to stop waiting. Work that others wait for as well goes on. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * `AuthManager` for programs that do not use Effect: the same verbs, `null` for "signed out", rejections with the very
 * same error classes. An aborted call rejects with the signal's reason.
 */
export interface PromiseAuthManager extends AsyncDisposable {
  /**
   * The credential for the next request: loaded once, renewed first where it is about to expire; `null` where nobody is
   * signed in. A load that failed is the rejection of every call until `reload` or a login.
   */
  readonly current: (call?: CallOptions) => Promise<Credential | null>;
  /** The credential as last loaded, at once; `null` also before the first load and after a failed one. */
  readonly snapshot: () => Credential | null;
  /** Reads the sources again. */
  readonly reload: (call?: CallOptions) => Promise<Credential | null>;
  /** Spends the refresh token, or adopts what another process made of it meanwhile. */
  readonly refresh: (reason: RefreshReason, call?: CallOptions) => Promise<Credential>;
  /**
   * After a 401: another credential of the same account that is worth one more try, or `null` where nothing more can be
   * done. `rejected` is the credential that the request carried. Callers share one recovery.
   */
  readonly recoverUnauthorized: (
    rejected: Credential,
    call?: CallOptions,
  ) => Promise<Credential | null>;
  /**
   * Rejects as a login foreseeably would: where a variable or a restriction rules it out, or the store cannot be read or
   * written. To be asked before `signInWithBrowser` or `signInWithDeviceCode` sends a person to a browser.
   */
  readonly checkLogin: (method: LoginMethod, call?: CallOptions) => Promise<void>;
  /** Stores an API key. Nobody is asked whether it is good: the first request tells. */
  readonly loginWithApiKey: (apiKey: Secret, call?: CallOptions) => Promise<Credential>;
  /**
   * Signs in with an agent identity JWT or a personal access token; which of them is told by its shape. It is verified
   * first, a personal access token by its issuer, and stored only then.
   */
  readonly loginWithAccessToken: (token: Secret, call?: CallOptions) => Promise<Credential>;
  /** As `loginWithAccessToken`, but loads nothing and registers no task: for programs that end with it. */
  readonly saveAccessToken: (token: Secret, call?: CallOptions) => Promise<SavedSignIn>;
  /** Stores what `signInWithBrowser` and `signInWithDeviceCode` end in; tokens that it replaces are revoked. */
  readonly loginWithChatgptTokens: (
    tokens: PlainChatgptTokens,
    call?: CallOptions,
  ) => Promise<StoredChatgptSignIn>;
  /** Removes what is stored, everywhere it is stored, after trying to revoke it. */
  readonly logout: (call?: CallOptions) => Promise<LogoutResult>;
  /** Lets another program supply ChatGPT tokens, which are never stored. `null`, a login or a logout ends it. */
  readonly setExternalProvider: (
    provider: PromiseAuthProvider | null,
    call?: CallOptions,
  ) => Promise<void>;
  /**
   * Calls the listener at every change from now on; the answer ends that. What a listener throws is a warning that names
   * its class, and it hears of the next change all the same.
   */
  readonly subscribe: (listener: (credential: Credential | null) => void) => () => void;
  /** Every change from the first `next` on. Leaving the loop ends the subscription. */
  readonly changes: () => AsyncIterable<Credential | null>;
  /** Waits for what must not be cut off, such as a refresh that has spent its token; then nothing works any more. */
  readonly close: () => Promise<void>;
}

/**
 * Starts a manager. The first load begins at once unless `loadAtStart` is false; whoever asks meanwhile waits for it.
 * Nothing is thrown here: what goes wrong, a broken `config.toml` included, is the rejection of each call.
 */
export const createAuthManager = (options: CreateAuthManagerOptions): PromiseAuthManager => {
  // Merged in as well, so that it hears what happens in later calls, too.
  const runtime = ManagedRuntime.make(
    Layer.provideMerge(Layer.unwrap(Effect.map(prepare(options), layer)), warningLogger(options)),
  );
  let manager: AuthManager["Service"] | undefined;
  let isClosed = false;
  // Where it cannot be built, that is the rejection of every call.
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
          // Closing interrupts what may be cut off, and Effect's word for that is no answer to a caller.
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
    reload: (call) => run((manager) => Effect.map(manager.reload, Option.getOrNull), call),
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
  Effect.try({ try: () => listener(credential), catch: nameOfThrown }).pipe(
    Effect.catch((name) => Effect.logWarning(`a listener failed (${name})`)),
  );

/** Its message is left behind: the listener was handed a credential, which it may quote. */
const nameOfThrown = (thrown: unknown): string => {
  if (!(thrown instanceof Error)) return typeof thrown;
  const { name } = thrown.constructor;
  return isLoginError(thrown) ? `${name}, ${thrown.code}` : name;
};

/** The text of a secret, for the header or request that it belongs into. */
export const revealSecret = (secret: Redacted.Redacted): string => Redacted.value(secret);

const prepare = Effect.fnUntraced(function* (
  options: CreateAuthManagerOptions,
): Effect.fn.Return<AuthManagerOptions, ConfigError> {
  const { configOverrides, externalProvider, variables, ...rest } = options;
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

const warningLogger = (options: CreateAuthManagerOptions) => {
  const { onWarning = (message: string) => console.error(`agent-auth: ${message}`) } = options;
  return Logger.layer([
    Logger.make(({ logLevel, message }) => {
      if (logLevel !== "Warn" && logLevel !== "Error") return;
      try {
        onWarning([message].flat().join(" "));
      } catch {
        // A program that cannot be warned must not lose a refresh in the midst of it.
      }
    }),
  ]);
};
