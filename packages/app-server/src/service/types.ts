import type { LoginEnvironment } from "@agent-auth/login/config/environment";
import type { Config } from "@agent-auth/login/config";
import type { AuthManagerShape } from "@agent-auth/login/manager";
import type * as Effect from "effect/Effect";
import type * as Redacted from "effect/Redacted";
import type * as Stream from "effect/Stream";
import type * as z from "zod/mini";
import type {
  AccountServiceError,
  GatewayLoginError,
  InvalidLoginId,
  ModelProviderNotConfigured,
} from "../errors/index.ts";
import type * as account from "../schema/account.ts";
import type * as gateway from "../schema/gateway.ts";
import type * as remoteControl from "../schema/remote-control.ts";
import type * as usage from "../schema/usage.ts";

export type AuthMode = z.infer<typeof account.AuthMode>;
/** The answer to `account/read`. `accountUnavailable` says why `account` is null. */
export type AccountInfo = z.infer<typeof account.GetAccountResponse>;
export type AccountUnavailable = z.infer<typeof account.AccountUnavailable>;
export type AccountSessions = z.infer<typeof account.AccountSessionsResponse>;
export type LoginStarted = z.infer<typeof account.LoginAccountResponse>;
export type LoginCompleted = z.infer<typeof account.AccountLoginCompletedNotification>;
export type AccountUpdated = z.infer<typeof account.AccountUpdatedNotification>;
/** The sign-in to the gateway of a model provider. `status` is null if the provider needs none. */
export type GatewayState = z.infer<typeof gateway.GatewayOAuthReadResponse>;
/** What the user has to enter, and where, to sign in to a gateway with a device code. */
export type GatewayPrompt = z.infer<typeof gateway.GatewayOAuthPrompt>;
export type RemoteControlStatus = z.infer<
  typeof remoteControl.RemoteControlStatusChangedNotification
>;
export type GatewayChanged = z.infer<typeof gateway.GatewayOAuthChangedNotification>;
export type RateLimits = z.infer<typeof usage.GetAccountRateLimitsResponse>;
export type TokenUsage = z.infer<typeof usage.GetAccountTokenUsageResponse>;
export type WorkspaceMessages = z.infer<typeof usage.GetWorkspaceMessagesResponse>;

/** The part of an auth manager that the service needs. */
export type AccountManager = Pick<
  AuthManagerShape,
  | "changes"
  | "checkLogin"
  | "current"
  | "loginWithApiKey"
  | "loginWithChatgptTokens"
  | "logout"
  | "recoverUnauthorized"
  | "refresh"
  | "setExternalProvider"
  | "snapshot"
  | "switchWorkspace"
>;

/** Runs operations one after another, in the order in which they were started. */
export type InOrder = <A, E>(operation: Effect.Effect<A, E>) => Effect.Effect<A, E>;

/** Settings of the browser login and the device code login. */
export interface LoginSettings {
  /** Default: `CODEX_APP_SERVER_LOGIN_ISSUER`, else `https://auth.openai.com`. */
  readonly issuer?: string;
  /** Default: the public OAuth client of Codex. */
  readonly clientId?: string;
  /** Loopback ports of the callback server, in order of preference. Default 1455, then 1457. */
  readonly ports?: ReadonlyArray<number>;
  /**
   * Whether any free port is used if all `ports` are taken. Default false: the public client of Codex may be redirected to
   * the two default ports only, so the authority has to allow others.
   */
  readonly anyFreePort?: boolean;
  /** Milliseconds to wait for another login to release the first port. Default 2000. */
  readonly portRetryMs?: number;
  /** Milliseconds until a browser login ends with `Login timed out`. Default 10 minutes. */
  readonly timeoutMs?: number;
  /** The name of the program, shown on the pages of the callback server. Default `agent-auth`. */
  readonly applicationName?: string;
}

/** The settings of an account service. The environment and the configuration were read by the caller. */
export interface AccountServiceOptions {
  /** The environment that the manager was made with. */
  readonly environment: LoginEnvironment;
  /** The configuration that the manager was made with. */
  readonly config: Config;
  readonly login?: LoginSettings;
  /**
   * Whether tokens that a client lent stay in use when that client disconnects. Default false: they are dropped. Tokens that
   * stay cannot be replaced, because no other client is asked for new ones.
   */
  readonly keepLentTokens?: boolean;
  /**
   * Whether clients may not sign in or out, because the host configured the credential. Default: whether a workload identity
   * is configured.
   */
  readonly hostOwnsAuth?: boolean;
  /** The version in the User-Agent, `<originator>/<version>`. Default `0.0.0`. */
  readonly version?: string;
  /** Default: the name of the first client, else `codex_cli_rs`. `CODEX_INTERNAL_ORIGINATOR_OVERRIDE` overrides both. */
  readonly originator?: string;
  /** Allows plain http to hosts other than loopback. Default false. */
  readonly allowInsecureHttp?: boolean;
}

/** Access tokens that a client lends. They are kept in memory only. */
export interface LentTokens {
  /** A JWT. */
  readonly accessToken: Redacted.Redacted;
  readonly chatgptAccountId: string;
  /** Default: the claim of the token. */
  readonly chatgptPlanType?: string;
}

/** The client that lent tokens. Owners are compared by reference. */
export interface TokenOwner {
  /** Named in errors. */
  readonly name: string;
  /**
   * Asks for new tokens (`account/chatgptAuthTokens/refresh`); the answer is checked by the service. A rejection with a
   * `code` and a `message` counts as the client's refusal. Aborted after ten seconds.
   */
  readonly refresh: (
    ask: { readonly reason: "unauthorized"; readonly previousAccountId: string | null },
    signal: AbortSignal,
  ) => Promise<unknown>;
}

/** What starts a login. */
export type LoginRequest =
  | { readonly type: "apiKey"; readonly apiKey: Redacted.Redacted }
  | {
      readonly type: "chatgpt";
      /** Whether the browser ends on Codex's hosted page instead of the callback server's. Default false. */
      readonly useHostedSuccessPage?: boolean;
    }
  | { readonly type: "chatgptDeviceCode" };

/** A browser login that was started. */
export interface StartedInBrowser {
  readonly loginId: string;
  readonly authUrl: string;
}

/** A sign-in to the gateway of a model provider. */
export interface GatewayLoginRequest {
  /** Default: the provider in use. */
  readonly modelProvider?: string;
  /** Default false: with the browser. */
  readonly deviceAuth?: boolean;
  /** Called with the URL that the user has to open, as `authUrl`. Only the client that asked should be told. */
  readonly onAuthorizeUrl?: (changed: GatewayChanged) => void;
}

/** What happened to the account. */
export type AccountEvent =
  | { readonly method: "account/login/completed"; readonly params: LoginCompleted }
  | { readonly method: "account/updated"; readonly params: AccountUpdated }
  | { readonly method: "account/gatewayOAuth/changed"; readonly params: GatewayChanged };

/** The shape of the `AccountService`. Operations run one after another, in the order of the calls. */
export interface AccountServiceShape {
  /**
   * Returns the account that is signed in, or the reason why there is none. Never fails. `refreshToken` refreshes a ChatGPT
   * sign-in first; calls that were made before such a refresh ended share it.
   */
  readonly read: (options?: { readonly refreshToken?: boolean }) => Effect.Effect<AccountInfo>;
  /**
   * Returns which kind of credential is in use, and its token if `includeToken` is set. The token of an agent or a personal
   * access token is never returned.
   */
  readonly authStatus: (options?: {
    readonly includeToken?: boolean;
    readonly refreshToken?: boolean;
  }) => Effect.Effect<{
    readonly authMethod: AuthMode | null;
    readonly authToken: Redacted.Redacted | null;
    readonly requiresOpenaiAuth: boolean;
  }>;
  /**
   * Starts a login and cancels the pending one. An API key is stored at once; the others end with an
   * `account/login/completed` event. The credential in use stays until the new one is stored.
   */
  readonly startLogin: (request: LoginRequest) => Effect.Effect<LoginStarted, AccountServiceError>;
  /** Cancels the pending login if it has this id, which must be a UUID. */
  readonly cancelLogin: (
    loginId: string,
  ) => Effect.Effect<{ readonly status: "canceled" | "notFound" }, InvalidLoginId>;
  /** Cancels the pending login, then removes and revokes the credential. Lent tokens are no longer used. */
  readonly logout: Effect.Effect<void, AccountServiceError>;
  /**
   * Uses tokens that a client lends, until it lends others, logs out, or disconnects. The client is asked for new ones after
   * a 401, and ten minutes before they expire (after half of their lifetime if that is less than twenty minutes).
   */
  readonly lendTokens: (
    tokens: LentTokens,
    owner: TokenOwner,
  ) => Effect.Effect<void, AccountServiceError>;
  /** Ends the use of tokens of an owner that has disconnected. Does nothing if the tokens in use are of another owner. */
  readonly releaseOwner: (owner: TokenOwner) => Effect.Effect<void>;
  readonly rateLimits: (options?: {
    readonly excludeResetCreditDetails?: boolean;
    readonly supportsLunaReserve?: boolean;
  }) => Effect.Effect<RateLimits, AccountServiceError>;
  readonly tokenUsage: (options?: {
    readonly threadId?: string;
  }) => Effect.Effect<TokenUsage, AccountServiceError>;
  readonly workspaceMessages: Effect.Effect<WorkspaceMessages, AccountServiceError>;
  readonly sendAddCreditsNudgeEmail: (
    creditType: "credits" | "usage_limit",
  ) => Effect.Effect<{ readonly status: "sent" | "cooldown_active" }, AccountServiceError>;
  readonly consumeRateLimitResetCredit: (request: {
    readonly idempotencyKey: string;
    readonly creditId?: string;
  }) => Effect.Effect<
    z.infer<typeof usage.ConsumeAccountRateLimitResetCreditResponse>,
    AccountServiceError
  >;
  /**
   * The one stored ChatGPT login with its workspace; empty for other credentials. `refreshWorkspaceMetadata` asks the
   * backend for all workspaces of the login and their names.
   */
  readonly sessions: (options?: {
    readonly refreshWorkspaceMetadata?: boolean;
  }) => Effect.Effect<AccountSessions, AccountServiceError>;
  /**
   * Changes the workspace of the stored ChatGPT login, and returns the login as `sessions` does. If the workspace requires
   * a new sign-in and `allowBrowserLogin` is set, a browser login to it is started instead. Default: it fails.
   */
  readonly switchSession: (request: {
    readonly sessionId: string;
    readonly accountId: string;
    readonly allowBrowserLogin?: boolean;
  }) => Effect.Effect<AccountSessions | StartedInBrowser, AccountServiceError>;
  /** Returns the sign-in to the gateway of a model provider. Default: of the provider in use. */
  readonly readGateway: (
    modelProvider?: string,
  ) => Effect.Effect<GatewayState, ModelProviderNotConfigured>;
  /**
   * Signs in to the gateway of a model provider, which needs a browser on this machine unless `deviceAuth` is set. With the
   * browser it ends when the sign-in has ended. With a device code it returns the `prompt`, null if there is a sign-in.
   */
  readonly loginToGateway: (
    request: GatewayLoginRequest,
  ) => Effect.Effect<{ readonly prompt: GatewayPrompt | null }, GatewayLoginError>;
  /** Cancels the pending sign-in to a gateway. */
  readonly cancelGatewayLogin: Effect.Effect<void>;
  /**
   * The account events: logins and logouts of this service, and changes that other programs made to the store. Events
   * follow the result of the call that caused them, in a later turn of the event loop.
   */
  readonly events: Stream.Stream<AccountEvent>;
  /** Calls the listener for each of the `events`. It must not throw. Returns a function that stops the calls. */
  readonly listen: (listener: (event: AccountEvent) => void) => () => void;
  /** Describes this server to a client. The name of the first one becomes the originator of later requests. */
  readonly describe: (client: { readonly name: string; readonly version: string }) => {
    readonly userAgent: string;
    readonly codexHome: string;
    readonly platformFamily: string;
    readonly platformOs: string;
  };
  /** The remote control of Codex's desktop application: disabled, since this server has none. */
  readonly remoteControl: () => RemoteControlStatus;
}
