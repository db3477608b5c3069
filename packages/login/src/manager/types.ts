import type * as Effect from "effect/Effect";
import type * as Option from "effect/Option";
import type * as Redacted from "effect/Redacted";
import type * as Stream from "effect/Stream";
import type { Config } from "../config/index.ts";
import type { Account, Credential } from "../credential/index.ts";
import type { LoginEnvironment } from "../config/environment.ts";
import type { LoginError } from "../errors/index.ts";
import type { LoginMethod } from "../config/restrictions.ts";
import type { ChatgptTokens } from "../oauth/code-exchange.ts";

export type { ChatgptTokens } from "../oauth/code-exchange.ts";

/** Why a refresh token is being spent; sent to the authority as `refresh_reason`. */
export type RefreshReason = "proactive_expiry" | "scheduled" | "unauthorized_recovery" | "forced";

/** What a logout did. */
export interface LogoutResult {
  /** False where there was nothing stored. */
  readonly removed: boolean;
  /** Whether the authority confirmed the revocation; `notNeeded` for credentials that have none. */
  readonly revoked: "revoked" | "failed" | "notNeeded";
}

/** ChatGPT tokens that another program owns. */
export interface ExternalTokens {
  readonly accessToken: Redacted.Redacted;
  readonly accountId: string;
  readonly planType?: string;
}

/** Supplies ChatGPT tokens that another program owns. Asked at start and once after each 401. */
export interface ExternalAuthProvider {
  readonly name: string;
  /** The message of what it fails with is repeated in errors, so it must hold no secret. */
  readonly tokens: (ask: {
    readonly reason: "initial" | "unauthorized";
    readonly previousAccountId?: string;
  }) => Effect.Effect<ExternalTokens, unknown>;
}

/** A sign-in that was verified and stored, but not loaded. */
export interface SavedSignIn {
  readonly kind: "AgentIdentity" | "PersonalAccessToken";
  readonly account: Account;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs?: number;
}

/** What a manager has to know. The environment and the configuration were read at a front door. */
export interface AuthManagerOptions {
  /** Absolute path of CODEX_HOME, where it is not the one that the environment names. It has to exist. */
  readonly codexHome?: string;
  readonly environment: LoginEnvironment;
  readonly config: Config;
  /**
   * Whether `CODEX_API_KEY` and `CODEX_AGENT_IDENTITY` count. A command line says true; a server that signs in
   * on behalf of its clients says false. `CODEX_ACCESS_TOKEN` counts either way.
   */
  readonly environmentCredentials: boolean;
  /** What agent identity JWTs must name. Defaults: those of ChatGPT (docs/protocol.md §6). */
  readonly verification?: { readonly issuer?: string; readonly audience?: string };
  /** First part of the User-Agent, `<name>/<version>`. Default `agent-auth`. */
  readonly userAgent?: string;
  /** Default `codex_cli_rs`; `CODEX_INTERNAL_ORIGINATOR_OVERRIDE` beats both. */
  readonly originator?: string;
  /** Default false: plain `http` is for loopback hosts only. */
  readonly allowInsecureHttp?: boolean;
  /** Beats `CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL` and the defaults of docs/protocol.md §5. */
  readonly taskApiBaseUrl?: string;
  /** Milliseconds for which a JWKS that verified before may serve while its endpoint is down. Default one hour. */
  readonly jwksMaxStaleMs?: number;
  /**
   * Keeps key sets under CODEX_HOME, so that the next process needs no request while they are fresh. Default false: who
   * can write there decides who is believed. A `JwksCache` that the layer is given beats it.
   */
  readonly keepJwksOnDisk?: boolean;
  /**
   * Default true: the credential is loaded while the layer is built. False: at the first use of `current`, for
   * programs that only sign in or out. Either way a failed load does not fail the layer.
   */
  readonly loadAtStart?: boolean;
  /** As if `setExternalProvider` was called before the first load. */
  readonly externalProvider?: ExternalAuthProvider;
}

/** The shape of the `AuthManager` service. */
export interface AuthManagerShape {
  /**
   * The credential the next request should use: loaded once, renewed when it is about to expire. `None` means
   * signed out. A load that failed is the error, now and on every later call until `reload`. A renewal is waited for,
   * but two seconds at most while the old credential is good, and not at all for half a minute after that: an authority
   * that hangs holds up nobody's requests.
   */
  readonly current: Effect.Effect<Option.Option<Credential>, LoginError>;
  /** The credential as last loaded, without looking further; `None` before the first load and after a failed one. */
  readonly snapshot: () => Option.Option<Credential>;
  /** Reads the sources again. */
  readonly reload: Effect.Effect<Option.Option<Credential>, LoginError>;
  /** Spends the refresh token, or adopts what another process made of it meanwhile. */
  readonly refresh: (reason: RefreshReason) => Effect.Effect<Credential, LoginError>;
  /**
   * After a 401: a credential that differs from the rejected one and is worth a retry, or `None` where nothing
   * more can be done. Callers whose credential is already superseded get the newer one at once; the others share
   * one reload, one refresh, one task registration.
   */
  readonly recoverUnauthorized: (
    rejected: Credential,
  ) => Effect.Effect<Option.Option<Credential>, LoginError>;
  /**
   * Fails as a login foreseeably would: where a variable or a restriction rules it out, or the store cannot be read or
   * written. What is stored stays as it is. To be asked before a person is sent to a browser.
   */
  readonly checkLogin: (method: LoginMethod) => Effect.Effect<void, LoginError>;
  readonly loginWithApiKey: (apiKey: Redacted.Redacted) => Effect.Effect<Credential, LoginError>;
  /** An agent identity JWT or a personal access token; which of them is told by its shape. */
  readonly loginWithAccessToken: (
    token: Redacted.Redacted,
  ) => Effect.Effect<Credential, LoginError>;
  /**
   * Verifies and stores like `loginWithAccessToken`, but loads nothing and registers no task: for programs that
   * end once they have signed in.
   */
  readonly saveAccessToken: (token: Redacted.Redacted) => Effect.Effect<SavedSignIn, LoginError>;
  readonly loginWithChatgptTokens: (tokens: ChatgptTokens) => Effect.Effect<Credential, LoginError>;
  /** Removes what is stored, everywhere it is stored, after trying to revoke it. */
  readonly logout: Effect.Effect<LogoutResult, LoginError>;
  readonly setExternalProvider: (
    provider: ExternalAuthProvider | null,
  ) => Effect.Effect<void, LoginError>;
  /** Every change of the current credential, from now on. */
  readonly changes: Stream.Stream<Option.Option<Credential>>;
}
