import * as Context from "effect/Context";
import * as Layer from "effect/Layer";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import { lazyHttpLayer } from "../http/lazy.ts";
import { layer as configuredStore } from "../storage/configured.ts";
import type { Storage } from "../storage/custom.ts";
import type { CredentialStore } from "../storage/index.ts";
import type { HomeLock } from "../storage/lock/index.ts";
import { layer as refreshLock, RefreshLock } from "../storage/lock/refresh-lock.ts";
import { makeAuthManager } from "./make.ts";
import { type AuthManagerOptions, type AuthManagerShape, codexHomeOf } from "./types.ts";

export type { RefreshReason } from "../oauth/refresh.ts";
export type {
  AuthManagerOptions,
  AuthManagerShape,
  ChatgptTokens,
  ExternalAuthProvider,
  ExternalTokens,
  Inspection,
  LogoutResult,
  SavedSignIn,
  StoredChatgptSignIn,
  Workspace,
} from "./types.ts";

/**
 * Loads, refreshes and replaces the credential of a program, and reports its changes. All callers of a manager share
 * its loads, its agent task and its refreshes. Managers of other processes that share the CODEX_HOME share the refreshes.
 *
 * @example
 * ```ts
 * import { loadConfig } from "@agent-auth/login/config";
 * import { parseEnvironment } from "@agent-auth/login/config/environment";
 * import { AuthManager, layer } from "@agent-auth/login/manager";
 * import * as Effect from "effect/Effect";
 *
 * const environment = parseEnvironment({ CODEX_API_KEY: "sk-example" }, { homeDir: "/home/ada" });
 * const config = await Effect.runPromise(loadConfig(environment));
 * const manager = layer({ environment, config, environmentCredentials: true });
 * const current = AuthManager.use((manager) => manager.current);
 * await Effect.runPromise(Effect.provide(current, manager)); // Option.some({ _tag: "ApiKey", … })
 * ```
 */
export class AuthManager extends Context.Service<AuthManager, AuthManagerShape>()(
  "@agent-auth/login/manager",
) {}

/**
 * A manager over the given store, lock and transport. It also uses these services if they are provided, and shares them
 * with other managers for which the same ones are provided: `RefreshLock` (without one, only its own refreshes exclude
 * each other), `EphemeralStore`, `JwksCache`, `AgentTasks`, `WorkloadIdentities` (without one, those of the process).
 *
 * @example
 * ```ts
 * import { AuthManager, layerNoDeps } from "@agent-auth/login/manager";
 * import type { AuthManagerOptions } from "@agent-auth/login/manager";
 * import { layer as httpLayer } from "@agent-auth/login/http";
 * import { layer as storeLayer } from "@agent-auth/login/storage/ephemeral";
 * import { HomeLock } from "@agent-auth/login/storage/lock";
 * import * as Layer from "effect/Layer";
 *
 * export const inMemory = (options: AuthManagerOptions): Layer.Layer<AuthManager> =>
 *   Layer.provide(layerNoDeps(options), [storeLayer, HomeLock.layerMemory, httpLayer(options.environment)]);
 * ```
 */
export const layerNoDeps = (
  options: AuthManagerOptions,
): Layer.Layer<AuthManager, never, CredentialStore | HomeLock | HttpTransport> =>
  Layer.effect(AuthManager, makeAuthManager(options));

export interface AuthManagerLayerOptions extends AuthManagerOptions {
  /**
   * The store and its locks, instead of those that the configuration names: `layer` of `storage/custom`, or that of
   * `@agent-auth/login-sql`.
   */
  readonly storage?: Layer.Layer<Storage>;
}

/**
 * The usual manager: over the configured store and the locks of CODEX_HOME, with undici for requests. Building it never
 * fails; a failed load is the error of `current`. undici, the locks and what agent identities need are imported when
 * they are needed.
 *
 * @example
 * ```ts
 * import { type AuthManagerOptions, layer } from "@agent-auth/login/manager";
 *
 * export const longRunning = (options: AuthManagerOptions) =>
 *   layer({ ...options, followStore: true, keepFresh: true });
 * ```
 */
export const layer = (options: AuthManagerLayerOptions): Layer.Layer<AuthManager> =>
  layerNoDeps(options).pipe(
    Layer.provide([options.storage ?? configuredStorage(options), lazyHttpLayer(options)]),
  );

const configuredStorage = (options: AuthManagerOptions): Layer.Layer<Storage> => {
  const { credentialsStore: mode, secretAuthStorage = false, sharedStore } = options.config;
  const codexHome = codexHomeOf(options);
  const isShared = sharedStore !== undefined;
  return Layer.merge(
    configuredStore({ mode, secretAuthStorage, codexHome, isShared }),
    mode === "ephemeral" ? RefreshLock.layerMemory : refreshLock({ codexHome }),
  );
};
