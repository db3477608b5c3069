import {
  type CallerOptions,
  callerContext,
} from "@agent-auth/agent-identity/promises/caller-context";
import { loadConfig, type Config } from "@agent-auth/login/config";
import {
  loadEnvironment,
  type LoginEnvironment,
  type Variables,
} from "@agent-auth/login/config/environment";
import type { CreateAuthManagerOptions, PromiseAuthManager } from "@agent-auth/login/promises";
import { type Secret, toRedacted } from "@agent-auth/login/promises/secrets";
import type * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Scope from "effect/Scope";
import * as Result from "effect/Result";
import { makeAccountService } from "../service/make.ts";
import type {
  AccountEvent,
  AccountInfo,
  AccountServiceOptions,
  AccountServiceShape,
  AccountSessions,
  GatewayLoginRequest,
  GatewayPrompt,
  GatewayState,
  LentTokens,
  LoginRequest,
  LoginStarted,
  RateLimits,
  StartedInBrowser,
  TokenOwner,
  TokenUsage,
  WorkspaceMessages,
} from "../service/types.ts";
import { toAccountManager } from "./manager.ts";

export { isAppServerError } from "../errors/index.ts";
export {
  type Listener,
  serveStdioClient,
  startUnixSocketListener,
  startWebSocketListener,
} from "./listeners.ts";

/** `LoginRequest` whose key may be plain text. */
export type PlainLoginRequest =
  | Exclude<LoginRequest, { readonly type: "apiKey" }>
  | { readonly type: "apiKey"; readonly apiKey: Secret };

export type CreateAccountServiceOptions = AccountServiceOptions & CallerOptions;

/** `AccountService` with promises: the same operations, and rejections with the same error classes. */
export interface AccountServicePromises extends AsyncDisposable {
  /** Returns the account that is signed in, or the reason why there is none. Never rejects. */
  readonly read: (options?: { readonly refreshToken?: boolean }) => Promise<AccountInfo>;
  /** Starts a login and cancels the pending one. */
  readonly startLogin: (request: PlainLoginRequest) => Promise<LoginStarted>;
  /** Cancels the pending login if it has this id. */
  readonly cancelLogin: (loginId: string) => Promise<{ readonly status: "canceled" | "notFound" }>;
  /** Cancels the pending login, then removes and revokes the credential. */
  readonly logout: () => Promise<void>;
  /** Uses tokens that a client lends, until it lends others, logs out, or disconnects. */
  readonly lendTokens: (
    tokens: Omit<LentTokens, "accessToken"> & { readonly accessToken: Secret },
    owner: TokenOwner,
  ) => Promise<void>;
  /** Ends the use of tokens of an owner that has disconnected. */
  readonly releaseOwner: (owner: TokenOwner) => Promise<void>;
  readonly rateLimits: (options?: {
    readonly excludeResetCreditDetails?: boolean;
    readonly supportsLunaReserve?: boolean;
  }) => Promise<RateLimits>;
  readonly tokenUsage: (options?: { readonly threadId?: string }) => Promise<TokenUsage>;
  readonly workspaceMessages: () => Promise<WorkspaceMessages>;
  /** The one stored ChatGPT login with its workspace; empty for other credentials. */
  readonly sessions: (options?: {
    readonly refreshWorkspaceMetadata?: boolean;
  }) => Promise<AccountSessions>;
  /** Changes the workspace of the stored ChatGPT login, or starts the browser login that the workspace requires. */
  readonly switchSession: (request: {
    readonly sessionId: string;
    readonly accountId: string;
    /** Default false: if the workspace requires a new sign-in, it rejects. */
    readonly allowBrowserLogin?: boolean;
  }) => Promise<AccountSessions | StartedInBrowser>;
  /** Returns the sign-in to the gateway of a model provider. Default: of the provider in use. */
  readonly readGateway: (modelProvider?: string) => Promise<GatewayState>;
  /** Signs in to the gateway of a model provider, with the browser or a device code. */
  readonly loginToGateway: (
    request: GatewayLoginRequest,
  ) => Promise<{ readonly prompt: GatewayPrompt | null }>;
  /** Cancels the pending sign-in to a gateway. */
  readonly cancelGatewayLogin: () => Promise<void>;
  /** Calls the listener for each account event, until the returned function is called. */
  readonly listen: (listener: (event: AccountEvent) => void) => () => void;
  /** The service with Effects, which `handleAccountMethods` uses, and the context that they run in. */
  readonly effects: AccountServiceShape;
  readonly context: Context.Context<never>;
  /** Ends the service: a pending login is cancelled. The manager is closed if it was opened with the service. */
  readonly close: () => Promise<void>;
}

/**
 * Returns an account service over an auth manager, which stays open when the service is closed. The manager should have been
 * made with `followStore` and `keepFresh`. Throws a `ModelProviderError` if the configured provider cannot be used.
 *
 * @example
 * ```ts
 * import { createAccountService } from "@agent-auth/app-server/promises";
 * import { loadConfig } from "@agent-auth/login/config";
 * import { loadEnvironment } from "@agent-auth/login/config/environment";
 * import { createAuthManager } from "@agent-auth/login/promises";
 * import * as Effect from "effect/Effect";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const environment = loadEnvironment({ CODEX_HOME: mkdtempSync(join(tmpdir(), "codex-home-")) });
 * const config = await Effect.runPromise(loadConfig(environment));
 * await using manager = createAuthManager({
 *   environment,
 *   config,
 *   environmentCredentials: false,
 *   followStore: true,
 *   keepFresh: true,
 * });
 * await using service = createAccountService(manager, { environment, config });
 * await service.startLogin({ type: "apiKey", apiKey: "sk-example" });
 * console.log((await service.read()).account); // { type: "apiKey" }
 * ```
 */
export const createAccountService = (
  manager: PromiseAuthManager,
  options: CreateAccountServiceOptions,
): AccountServicePromises => makePromises(manager, options, () => Promise.resolve());

/** Options of `openAccountService`. */
export interface OpenAccountServiceOptions
  extends
    Omit<AccountServiceOptions, "config" | "environment">,
    CallerOptions,
    Pick<CreateAuthManagerOptions, "userAgent" | "verification"> {
  /** Default: `variables`, parsed. */
  readonly environment?: LoginEnvironment;
  /** Default: `process.env`. */
  readonly variables?: Variables;
  /** Default: loaded for `environment`, with `configOverrides` applied. */
  readonly config?: Config;
  /** `dotted.key=value`, as after `-c`. Default none. */
  readonly configOverrides?: ReadonlyArray<string>;
  /**
   * Whether the variables `CODEX_API_KEY` and `CODEX_AGENT_IDENTITY` are used. Default false: a server signs in for its
   * clients. `CODEX_ACCESS_TOKEN` is used either way.
   */
  readonly environmentCredentials?: boolean;
}

/**
 * Opens an auth manager for a CODEX_HOME and an account service over it. The manager notices sign-ins of other programs,
 * keeps the credential fresh, and is closed with the service. Rejects if the configuration cannot be used.
 *
 * @example
 * ```ts
 * import { openAccountService } from "@agent-auth/app-server/promises";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const CODEX_HOME = mkdtempSync(join(tmpdir(), "codex-home-"));
 * await using service = await openAccountService({ variables: { CODEX_HOME } });
 * console.log((await service.read()).accountUnavailable?.reason); // signedOut
 * ```
 */
export const openAccountService = async (
  options: OpenAccountServiceOptions = {},
): Promise<AccountServicePromises> => {
  const { createAuthManager } = await import("@agent-auth/login/promises");
  const environment = options.environment ?? loadEnvironment(options.variables ?? process.env);
  const config =
    options.config ??
    (await Effect.runPromise(
      loadConfig({ ...environment, overrides: options.configOverrides ?? [] }),
    ));
  const { onWarning, originator, userAgent, verification } = options;
  const manager = createAuthManager({
    environment,
    config,
    environmentCredentials: options.environmentCredentials ?? false,
    allowInsecureHttp: options.allowInsecureHttp ?? false,
    followStore: true,
    keepFresh: true,
    ...(options.context === undefined ? {} : { context: options.context }),
    ...(onWarning === undefined ? {} : { onWarning }),
    ...(originator === undefined ? {} : { originator }),
    ...(userAgent === undefined ? {} : { userAgent }),
    ...(verification === undefined ? {} : { verification }),
  });
  try {
    return makePromises(manager, { ...options, environment, config }, manager.close);
  } catch (error) {
    await manager.close();
    throw error;
  }
};

const makePromises = (
  manager: PromiseAuthManager,
  options: CreateAccountServiceOptions,
  onClose: () => Promise<void>,
): AccountServicePromises => {
  const context = callerContext(options);
  const scope = Scope.makeUnsafe();
  const made = Effect.runSyncWith(context)(
    Effect.result(Scope.provide(makeAccountService(toAccountManager(manager), options), scope)),
  );
  const effects = Result.getOrThrow(made);
  const run = Effect.runPromiseWith(context);
  const close = async (): Promise<void> => {
    await run(Scope.close(scope, Exit.void));
    await onClose();
  };
  return {
    effects,
    context,
    read: (call) => run(effects.read(call)),
    startLogin: (request) =>
      run(
        effects.startLogin(
          request.type === "apiKey"
            ? { type: "apiKey", apiKey: toRedacted(request.apiKey, "API key") }
            : request,
        ),
      ),
    cancelLogin: (loginId) => run(effects.cancelLogin(loginId)),
    logout: () => run(effects.logout),
    lendTokens: ({ accessToken, ...tokens }, owner) =>
      run(
        effects.lendTokens(
          { ...tokens, accessToken: toRedacted(accessToken, "access_token") },
          owner,
        ),
      ),
    releaseOwner: (owner) => run(effects.releaseOwner(owner)),
    rateLimits: (call) => run(effects.rateLimits(call)),
    tokenUsage: (call) => run(effects.tokenUsage(call)),
    workspaceMessages: () => run(effects.workspaceMessages),
    sessions: (call) => run(effects.sessions(call)),
    switchSession: (request) => run(effects.switchSession(request)),
    readGateway: (modelProvider) => run(effects.readGateway(modelProvider)),
    loginToGateway: (request) => run(effects.loginToGateway(request)),
    cancelGatewayLogin: () => run(effects.cancelGatewayLogin),
    listen: effects.listen,
    close,
    [Symbol.asyncDispose]: close,
  };
};
