import type { HttpTransport } from "@agent-auth/agent-identity/http";
import type * as Effect from "effect/Effect";
import type { AgentIdentities } from "../agents/identities.ts";
import type { WorkloadIdentityCredential } from "../credential/index.ts";
import type { LoginError } from "../errors/index.ts";
import type { CredentialStore } from "../storage/index.ts";
import type { HomeLock } from "../storage/lock/index.ts";
import type { RefreshLock } from "../storage/lock/refresh-lock.ts";
import type { ExternalProviderSlot } from "./external-provider.ts";
import type { ObtainedCredentials, SpentTokens } from "./known-failures.ts";
import type { CredentialState } from "./state.ts";
import type { AuthManagerOptions } from "./types.ts";

/** What the operations of one manager share. */
export interface ManagerDeps {
  readonly options: AuthManagerOptions;
  /** The configured store. */
  readonly store: CredentialStore["Service"];
  /** The memory for external tokens; the same as `store` if `cli_auth_credentials_store` is `ephemeral`. */
  readonly ephemeral: CredentialStore["Service"];
  readonly homeLock: HomeLock["Service"];
  readonly refreshLock: RefreshLock["Service"];
  /** Made at first use. */
  readonly agents: Effect.Effect<AgentIdentities, LoginError>;
  readonly external: ExternalProviderSlot;
  /** Absent if neither the environment nor the configuration selects one. */
  readonly workloadIdentity?: {
    readonly credential: Operation<WorkloadIdentityCredential>;
    readonly replace: (
      rejected: WorkloadIdentityCredential,
    ) => Operation<WorkloadIdentityCredential>;
  };
  readonly state: CredentialState;
  readonly spentTokens: SpentTokens;
  readonly obtained: ObtainedCredentials;
}

/** An operation of a manager. What it sends goes through the manager's transport. */
export type Operation<A> = Effect.Effect<A, LoginError, HttpTransport>;
