import type { AssertionSigner } from "@agent-auth/agent-identity/assertion";
import type { PlanType } from "@agent-auth/agent-identity/record/plan";
import type { AgentIdentityRecord } from "@agent-auth/agent-identity/record";
import type * as Redacted from "effect/Redacted";

/** The header that names the workspace of a request, and the one that a FedRAMP workspace requires (docs/protocol.md §8). */
export const accountIdHeader = "ChatGPT-Account-ID";
export const fedrampHeader = "X-OpenAI-Fedramp";

/** Where the identity token of a program comes from: a file, or the platform that runs the program. */
export const identitySourceNames = [
  "file",
  "spiffe",
  "github-actions",
  "gitlab-ci",
  "circleci",
  "buildkite",
  "kubernetes",
  "gce",
  "azure-federated-token",
  "azure-imds",
  "aws-web-identity",
] as const;

export type IdentitySourceName = (typeof identitySourceNames)[number];

/** Where a credential was found. It decides whether a login can replace the credential, and how to repair it. */
export type CredentialSource =
  | {
      readonly _tag: "Environment";
      readonly variable: "CODEX_API_KEY" | "CODEX_AGENT_IDENTITY" | "CODEX_ACCESS_TOKEN";
    }
  | { readonly _tag: "File"; readonly path: string }
  | { readonly _tag: "Keyring"; readonly service: string; readonly account: string }
  | { readonly _tag: "Ephemeral" }
  /** A store that the program supplies, such as a database that several hosts share: its name, and where it is. */
  | { readonly _tag: "Store"; readonly name: string; readonly where: string }
  /** A workload identity: an identity token from this source was exchanged for it. */
  | {
      readonly _tag: "WorkloadIdentity";
      readonly identitySource: IdentitySourceName;
      /** The variable, or the key of `config.toml`, that selects it. */
      readonly setting: string;
    }
  /** An external auth provider supplied it: an app server's client, or a command. */
  | { readonly _tag: "External"; readonly name: string };

/** The owner of a credential. A member is absent if the credential does not state it. */
export interface Account {
  readonly accountId?: string;
  readonly userId?: string;
  readonly email?: string;
  readonly planType?: PlanType;
  readonly isFedrampAccount: boolean;
}

/**
 * Returns whether one credential may replace another of the same kind, as far as their owners are concerned. Account and
 * user ids must be equal if both sides state them; if only one side states an account, the accounts differ. If neither
 * states an account, the user id decides, else the e-mail address, by the same rule. Two accounts that state nothing
 * are the same. Nothing is verified.
 *
 * @example
 * ```ts
 * import { isSameAccount } from "@agent-auth/login/credential";
 *
 * const stored = { accountId: "ws-1", userId: "user-1", isFedrampAccount: false };
 * isSameAccount(stored, { accountId: "ws-1", isFedrampAccount: false }); // true
 * isSameAccount(stored, { accountId: "ws-2", isFedrampAccount: false }); // false
 * ```
 */
export const isSameAccount = (one: Account, other: Account): boolean => {
  if (isContradicted(one.userId, other.userId)) return false;
  for (const key of ["accountId", "userId", "email"] as const) {
    if (one[key] !== undefined || other[key] !== undefined) return one[key] === other[key];
  }
  return true;
};

const isContradicted = (one: string | undefined, other: string | undefined): boolean =>
  one !== undefined && other !== undefined && one !== other;

/**
 * What the backend says about the requests of a workspace. `AuthManager.current` adds it to ChatGPT sign-ins and personal
 * access tokens, after the workspace's policy was found to allow the credential.
 */
export interface WorkspaceAccess {
  /** The name of the workspace, for people. */
  readonly name?: string;
  /** Where model requests go; absent: to the configured backend. */
  readonly origin?: string;
  /** The value of `x-openai-account-routing-override`, which model requests carry. */
  readonly routingOverride?: "us" | "us_cr";
  /** `enforce_residency` of the workspace's policy, which model requests carry. */
  readonly residency?: "us";
  /** When the backend has to be asked again, in milliseconds since the epoch. `current` does that. */
  readonly checkAgainAtMs: number;
}

/** A key of the API platform. Its owner is unknown, and it is not checked before a request. */
export interface ApiKeyCredential {
  readonly _tag: "ApiKey";
  readonly apiKey: Redacted.Redacted;
  readonly account: Account;
  readonly source: CredentialSource;
}

/** A ChatGPT sign-in of a user. Its account comes from the id token, whose signature is never verified. */
export interface ChatgptCredential {
  readonly _tag: "Chatgpt";
  readonly accessToken: Redacted.Redacted;
  readonly refreshToken: Redacted.Redacted;
  readonly idToken: Redacted.Redacted;
  readonly account: Account;
  /** `exp` of the access token, milliseconds since the epoch. */
  readonly expiresAtMs?: number;
  readonly lastRefreshMs?: number;
  /** The agent identity that was registered for this sign-in, without a task. */
  readonly ownedIdentity?: AgentIdentityRecord;
  readonly workspace?: WorkspaceAccess;
  readonly source: CredentialSource;
}

/** ChatGPT tokens that another program stores and refreshes. That program is asked for new tokens after a 401, once. */
export interface ExternalChatgptCredential {
  readonly _tag: "ExternalChatgpt";
  readonly accessToken: Redacted.Redacted;
  /** Only if it was stored with the access token. Restrictions use it; it is never sent. */
  readonly idToken?: Redacted.Redacted;
  readonly account: Account;
  readonly expiresAtMs?: number;
  readonly workspace?: WorkspaceAccess;
  readonly source: CredentialSource;
}

/** An agent identity with its task: a verified JWT, or a record that a sign-in on this machine stored. */
export interface AgentIdentityCredential {
  readonly _tag: "AgentIdentity";
  readonly form: "jwt" | "record";
  readonly record: AgentIdentityRecord;
  readonly account: Account;
  /** `exp` of the JWT, milliseconds since the epoch; a record has none. */
  readonly expiresAtMs?: number;
  /** Bound to the registered task. A new task makes a new credential value. */
  readonly signer: AssertionSigner;
  readonly source: CredentialSource;
}

/** A personal access token (`at-…`), whose owner was looked up with the accounts API. */
export interface PersonalAccessTokenCredential {
  readonly _tag: "PersonalAccessToken";
  readonly token: Redacted.Redacted;
  readonly account: Account;
  readonly workspace?: WorkspaceAccess;
  readonly source: CredentialSource;
}

/**
 * A token that the identity of the running program was exchanged for (docs/keyless-ci.md): of a ChatGPT workspace, or of
 * an API project. It is never stored and has no refresh token; a new one is exchanged when it is due.
 */
export interface WorkloadIdentityCredential {
  readonly _tag: "WorkloadIdentity";
  /** Where requests go: to the backend of ChatGPT, or to the API. */
  readonly backend: "chatgpt" | "api";
  readonly accessToken: Redacted.Redacted;
  /** The ids that the token endpoint named; those of an API project are unknown. */
  readonly account: Account;
  /** When the exchange was requested, milliseconds since the epoch. */
  readonly obtainedAtMs: number;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
  readonly workspace?: WorkspaceAccess;
  readonly source: CredentialSource;
}

/** A bearer token that a command or another program supplies. Its owner is unknown. */
export interface BearerCredential {
  readonly _tag: "Bearer";
  readonly token: Redacted.Redacted;
  readonly account: Account;
  readonly source: CredentialSource;
}

/** What a request is authenticated with: an immutable snapshot. */
export type Credential =
  | ApiKeyCredential
  | ChatgptCredential
  | ExternalChatgptCredential
  | AgentIdentityCredential
  | PersonalAccessTokenCredential
  | WorkloadIdentityCredential
  | BearerCredential;

/** The kinds of credentials whose requests are made for a ChatGPT workspace with a bearer token. */
export type WorkspaceCredential =
  | ChatgptCredential
  | ExternalChatgptCredential
  | PersonalAccessTokenCredential
  | WorkloadIdentityCredential;

/** The properties of a credential without its signer: an agent identity has no task yet. */
export type CredentialFacts =
  | Exclude<Credential, AgentIdentityCredential>
  | Omit<AgentIdentityCredential, "signer">;
