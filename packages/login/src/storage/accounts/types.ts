import type * as Effect from "effect/Effect";
import type * as Option from "effect/Option";
import type { CodexHome } from "../../config/codex-home.ts";
import type { LoginEnvironment } from "../../config/environment.ts";
import type { Config } from "../../config/types.ts";
import type { LoginError } from "../../errors/index.ts";
import type { HttpClientOptions } from "../../http/index.ts";
import type { SignInSummary } from "./summary.ts";

export interface KeptAccountsOptions extends HttpClientOptions {
  readonly environment: LoginEnvironment;
  readonly config: Pick<
    Config,
    "credentialsStore" | "secretAuthStorage" | "sharedStore" | "workloadIdentity"
  >;
  /** Whether `CODEX_API_KEY` and `CODEX_AGENT_IDENTITY` count, as for `AuthManager`. */
  readonly environmentCredentials: boolean;
}

/** A sign-in that is kept under a name. */
export interface KeptAccount {
  readonly name: string;
  /** Whether it is the current sign-in: the one that Codex and `AuthManager` use. */
  readonly isCurrent: boolean;
  readonly summary: SignInSummary;
}

/** A kept account that cannot be read, so its owner is not known. */
export interface BrokenAccount {
  readonly name: string;
  readonly error: LoginError;
}

export interface AccountList {
  /** Sorted by name. */
  readonly accounts: ReadonlyArray<KeptAccount>;
  readonly broken: ReadonlyArray<BrokenAccount>;
  /** The current sign-in, kept or not; absent if there is none. */
  readonly current?: SignInSummary;
}

export interface RemovedAccount {
  /**
   * Whether the authority revoked the tokens. `notNeeded`: the credential has none. `unreadable`: the account could not
   * be read and was removed without revocation.
   */
  readonly revoked: "revoked" | "failed" | "notNeeded" | "unreadable";
}

/** The shape of the `KeptAccounts` service. */
export interface KeptAccountsShape {
  /**
   * All kept accounts, and the current sign-in. An account that cannot be read is in the list as well. Sends nothing.
   */
  readonly list: Effect.Effect<AccountList, LoginError>;
  /**
   * The name under which the current sign-in is kept; `None` if it is not, or if there is none. Fails with
   * `AccountUnreadable` if it may be an account that cannot be read.
   */
  readonly nameOfCurrent: Effect.Effect<Option.Option<string>, LoginError>;
  /** Keeps the current sign-in under a name. */
  readonly addCurrent: (name: string) => Effect.Effect<void, LoginError>;
  /**
   * Keeps a new sign-in under a name; the current one stays. `signIn` is given the CODEX_HOME of the account and stores
   * a sign-in there, for example by an `AuthManager`. Nothing is left behind if it stores none.
   */
  readonly addNew: <A, E, R>(
    name: string,
    signIn: (codexHome: CodexHome) => Effect.Effect<A, E, R>,
  ) => Effect.Effect<A, E | LoginError, R>;
  /**
   * Makes a kept account the current sign-in. False if it is that already. The previous sign-in is first saved under
   * its name, with its newest tokens. Fails with `CurrentSignInNotKept` if it has no name.
   */
  readonly use: (name: string) => Effect.Effect<boolean, LoginError>;
  /** Removes a kept account that is not the current sign-in, after trying to revoke its tokens. */
  readonly remove: (name: string) => Effect.Effect<RemovedAccount, LoginError>;
  /** Removes a kept copy and revokes nothing, for the copy of a sign-in that was signed out. */
  readonly forget: (name: string) => Effect.Effect<void, LoginError>;
}
