import type * as Effect from "effect/Effect";
import type * as Option from "effect/Option";
import type * as Redacted from "effect/Redacted";
import type * as Stream from "effect/Stream";
import type { Config } from "../config/index.ts";
import type { CodexHome, LoginEnvironment } from "../config/environment.ts";
import type { LoginMethod } from "../config/restrictions.ts";
import type { Account, Credential, CredentialFacts, WorkspaceAccess } from "../credential/index.ts";
import type { CredentialForbidden, ForbiddenByAdministrator, LoginError } from "../errors/index.ts";
import type { ChatgptTokens } from "../oauth/code-exchange.ts";
import type { RefreshReason } from "../oauth/refresh.ts";
import type { Workspace } from "../workspace/index.ts";

export type { Workspace } from "../workspace/index.ts";
export type { ChatgptTokens } from "../oauth/code-exchange.ts";

/** A ChatGPT sign-in that was stored. */
export interface StoredChatgptSignIn {
  readonly credential: Credential;
  /** The ChatGPT sign-in that it replaced. Absent if there was none. */
  readonly replaced?: {
    /** Not verified. */
    readonly account: Account;
    /** Whether it belongs to the same account. If not, warn the person, who may not have meant to change accounts. */
    readonly isSameAccount: boolean;
  };
}

/** What a logout did. */
export interface LogoutResult {
  /** False if nothing was stored. */
  readonly removed: boolean;
  /** Whether the authority confirmed the revocation; `notNeeded` for credentials that cannot be revoked. */
  readonly revoked: "revoked" | "failed" | "notNeeded";
  /**
   * Present if the credential was removed without the lock of CODEX_HOME, because another program held it. A program that
   * was storing a credential at that moment may have stored it again.
   */
  readonly withoutLock?: true;
}

/** What a manager would use for the next request, found out without changing anything. */
export interface Inspection {
  readonly credential: CredentialFacts;
  /** When the credential expires, in milliseconds since the epoch; absent if it does not say. */
  readonly expiresAtMs?: number;
  /** When a refresh or reload is due, in milliseconds since the epoch; absent if never. */
  readonly dueAtMs?: number;
  readonly isDue: boolean;
  readonly isExpired: boolean;
  /**
   * The restriction that forbids the credential. A load would remove it from the store if it is `CredentialForbidden`; it
   * is still there.
   */
  readonly forbidden?: CredentialForbidden | ForbiddenByAdministrator;
  /** What an earlier request found out about the workspace; absent if nothing is stored. */
  readonly workspace?: WorkspaceAccess;
}

/** ChatGPT tokens that another program owns. */
export interface ExternalTokens {
  readonly accessToken: Redacted.Redacted;
  readonly accountId: string;
  readonly planType?: string;
}

/** Supplies ChatGPT tokens that another program owns. Asked at the first load and once after each 401. */
export interface ExternalAuthProvider {
  readonly name: string;
  /** Errors repeat the message of its failure, which must not hold a secret. */
  readonly tokens: (ask: {
    readonly reason: "initial" | "unauthorized";
    readonly previousAccountId?: string;
  }) => Effect.Effect<ExternalTokens, unknown>;
}

/** A sign-in that was verified and stored, but not made current. */
export interface SavedSignIn {
  readonly kind: "AgentIdentity" | "PersonalAccessToken";
  readonly account: Account;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs?: number;
}

/** The settings of a manager. The environment and the configuration were read by the caller. */
export interface AuthManagerOptions {
  /** Absolute path of CODEX_HOME, if it is not the one of `environment`. The folder must exist. */
  readonly codexHome?: string;
  readonly environment: LoginEnvironment;
  readonly config: Config;
  /**
   * Whether `CODEX_API_KEY` and `CODEX_AGENT_IDENTITY` count. True for a command line; false for a server that signs in
   * on behalf of its clients. `CODEX_ACCESS_TOKEN` counts either way.
   */
  readonly environmentCredentials: boolean;
  /** Issuer and audience that agent identity JWTs must have. Defaults: those of ChatGPT (docs/protocol.md §6). */
  readonly verification?: { readonly issuer?: string; readonly audience?: string };
  /** First part of the User-Agent, `<name>/<version>`. Default `agent-auth`. */
  readonly userAgent?: string;
  /** Default `codex_cli_rs`. `CODEX_INTERNAL_ORIGINATOR_OVERRIDE` overrides both. */
  readonly originator?: string;
  /** Default false: plain `http` is accepted for loopback hosts only. */
  readonly allowInsecureHttp?: boolean;
  /** Overrides `CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL` and the defaults of docs/protocol.md §5. */
  readonly taskApiBaseUrl?: string;
  /** Milliseconds for which a JWKS that verified before may be used while its endpoint is down. Default one hour. */
  readonly jwksMaxStaleMs?: number;
  /**
   * Caches key sets under CODEX_HOME, so that the next process sends no request while they are fresh. Default false:
   * any program that can write there decides which identities are accepted. Ignored if the layer is given a `JwksCache`.
   */
  readonly keepJwksOnDisk?: boolean;
  /**
   * Default true: the credential is loaded while the layer is built. False: at the first use of `current`, for
   * programs that only sign in or out. A failed load does not fail the layer.
   */
  readonly loadAtStart?: boolean;
  /** As if `setExternalProvider` was called before the first load. */
  readonly externalProvider?: ExternalAuthProvider;
  /**
   * Loads the credential again after another program has signed in, refreshed or signed out; `changes` reports it. A file
   * is noticed within a second, a keyring within five. Default false.
   */
  readonly followStore?: boolean;
  /**
   * Refreshes the credential in the background as soon as it is due, ten minutes before it expires, so that neither this
   * program's requests nor another program of the same CODEX_HOME find it due. Failed refreshes are logged and repeated
   * with back-off. Default false: refreshed when `current` is used.
   */
  readonly keepFresh?: boolean;
  /**
   * Default true: `current` asks the backend about the workspace of a ChatGPT sign-in or personal access token, at most
   * once an hour: whether the workspace's policy allows the credential, and where its requests go. False for programs
   * that send no requests with the credential.
   */
  readonly workspaceChecks?: boolean;
}

/** The shape of the `AuthManager` service. */
export interface AuthManagerShape {
  /**
   * The credential for the next request: loaded once, refreshed when it is due. `None` means signed out. A failed load
   * is the error of every call until `reload` or a login.
   *
   * While the old credential is valid, a call waits for a refresh for two seconds at most, and not at all for half a
   * minute after such a wait, so that an authority that does not respond delays no requests. If an expired credential
   * cannot be refreshed, that is the error; a refresh is attempted again after a back-off of ten seconds, doubled up to
   * a minute, which all programs of the CODEX_HOME observe.
   */
  readonly current: Effect.Effect<Option.Option<Credential>, LoginError>;
  /** The credential as last loaded, at once; `None` before the first load and after a failed one. */
  readonly snapshot: () => Option.Option<Credential>;
  /**
   * As `snapshot`, if a request may be sent with the credential at once; `None` if `current` has to be asked: before its
   * first use, and if the backend was not asked about the workspace.
   */
  readonly requestSnapshot: () => Option.Option<Credential>;
  /** Loads the credential again. */
  readonly reload: Effect.Effect<Option.Option<Credential>, LoginError>;
  /**
   * Finds out what the next request would use, and changes nothing: nothing is refreshed, removed, stored or made
   * current, and no agent task is registered. For status displays.
   */
  readonly inspect: Effect.Effect<Option.Option<Inspection>, LoginError>;
  /** Spends the refresh token, or adopts the tokens that another process received for it. */
  readonly refresh: (reason: RefreshReason) => Effect.Effect<Credential, LoginError>;
  /**
   * After a 401: another credential of the same account that is worth one more attempt, or `None` if nothing can be
   * done. A caller whose credential is superseded gets the newer one at once; the others share one reload, refresh or
   * task registration. Fails, and logs a warning, if that fails. A credential that was obtained like this moments ago and
   * is rejected as well is not replaced again for a while: `NewCredentialRejected`.
   */
  readonly recoverUnauthorized: (
    rejected: Credential,
  ) => Effect.Effect<Option.Option<Credential>, LoginError>;
  /**
   * Fails if a login would fail: an environment variable overrides it, a restriction forbids it, or the store cannot be
   * read or written. Nothing is changed. Run it before the user is sent to a browser.
   */
  readonly checkLogin: (method: LoginMethod) => Effect.Effect<void, LoginError>;
  /** Stores an API key. It is not checked before the first request. */
  readonly loginWithApiKey: (apiKey: Redacted.Redacted) => Effect.Effect<Credential, LoginError>;
  /** Verifies and stores an agent identity JWT or a personal access token; the prefix tells which it is. */
  readonly loginWithAccessToken: (
    token: Redacted.Redacted,
  ) => Effect.Effect<Credential, LoginError>;
  /**
   * As `loginWithAccessToken`, but does not make the credential current and registers no task: for programs that end
   * after the login.
   */
  readonly saveAccessToken: (token: Redacted.Redacted) => Effect.Effect<SavedSignIn, LoginError>;
  /** Stores the tokens of a finished sign-in, then revokes those that it replaces. */
  readonly loginWithChatgptTokens: (
    tokens: ChatgptTokens,
  ) => Effect.Effect<StoredChatgptSignIn, LoginError>;
  /** Asks the backend which workspaces the user of the stored ChatGPT sign-in has. */
  readonly workspaces: Effect.Effect<ReadonlyArray<Workspace>, LoginError>;
  /**
   * Switches the stored ChatGPT sign-in to another workspace of the same user, without a new sign-in, and makes it
   * current. Nothing is revoked. Fails if a restriction does not allow the workspace, or if the backend refuses.
   */
  readonly switchWorkspace: (workspaceId: string) => Effect.Effect<Credential, LoginError>;
  /** Removes the stored credential from every place, then revokes it. */
  readonly logout: Effect.Effect<LogoutResult, LoginError>;
  readonly setExternalProvider: (
    provider: ExternalAuthProvider | null,
  ) => Effect.Effect<void, LoginError>;
  /** Every change of the current credential from now on; a failed load is `None`. */
  readonly changes: Stream.Stream<Option.Option<Credential>>;
}

/** The folder that a manager works in. One that only the options name must exist. */
export const codexHomeOf = ({
  codexHome,
  environment,
}: Pick<AuthManagerOptions, "codexHome" | "environment">): CodexHome =>
  codexHome === undefined || codexHome === environment.codexHome.path
    ? environment.codexHome
    : { path: codexHome, explicit: true };
