import { AuthManager } from "@agent-auth/login/manager";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { AccountServiceError } from "../errors/index.ts";
import { makeAccountService } from "./make.ts";
import type { AccountServiceOptions, AccountServiceShape } from "./types.ts";

export type {
  AccountEvent,
  AccountInfo,
  AccountManager,
  AccountServiceOptions,
  AccountServiceShape,
  AccountSessions,
  AccountUnavailable,
  AccountUpdated,
  AuthMode,
  GatewayChanged,
  GatewayLoginRequest,
  GatewayPrompt,
  GatewayState,
  LentTokens,
  LoginCompleted,
  LoginRequest,
  LoginSettings,
  LoginStarted,
  RateLimits,
  StartedInBrowser,
  TokenOwner,
  TokenUsage,
  WorkspaceMessages,
} from "./types.ts";

/**
 * Login sessions, account state and lent tokens over an `AuthManager`, for servers with several clients. It does not depend
 * on a transport; `handleAccountMethods` of `@agent-auth/app-server/methods` connects it to JSON-RPC connections.
 *
 * @example
 * ```ts
 * import { loadConfig } from "@agent-auth/login/config";
 * import { parseEnvironment } from "@agent-auth/login/config/environment";
 * import { layer as managerLayer } from "@agent-auth/login/manager";
 * import { AccountService, layer } from "@agent-auth/app-server/service";
 * import * as Effect from "effect/Effect";
 * import * as Layer from "effect/Layer";
 *
 * const environment = parseEnvironment({}, { homeDir: process.cwd() });
 * const config = await Effect.runPromise(loadConfig(environment));
 * const manager = managerLayer({ environment, config, environmentCredentials: false });
 * const service = Layer.provide(layer({ environment, config }), manager);
 *
 * const read = AccountService.use((account) => account.read());
 * const info = await Effect.runPromise(Effect.provide(read, service));
 * console.log(info.accountUnavailable?.reason); // signedOut
 * ```
 */
export class AccountService extends Context.Service<AccountService, AccountServiceShape>()(
  "@agent-auth/app-server/service",
) {}

/**
 * An account service over the given manager. The manager should follow the store and keep the credential fresh
 * (`followStore`, `keepFresh`). Fails if the configured model provider cannot be used.
 *
 * @example
 * ```ts
 * import { type AuthManagerOptions, layer as managerLayer } from "@agent-auth/login/manager";
 * import { layer } from "@agent-auth/app-server/service";
 * import * as Layer from "effect/Layer";
 *
 * export const account = (options: AuthManagerOptions) =>
 *   Layer.provide(
 *     layer({ environment: options.environment, config: options.config }),
 *     managerLayer({ ...options, followStore: true, keepFresh: true }),
 *   );
 * ```
 */
export const layer = (
  options: AccountServiceOptions,
): Layer.Layer<AccountService, AccountServiceError, AuthManager> =>
  Layer.effect(
    AccountService,
    Effect.flatMap(AuthManager, (manager) => makeAccountService(manager, options)),
  );
