import type { AssertionSigner } from "@agent-auth/agent-identity/assertion";
import type { PlanType } from "@agent-auth/agent-identity/record/plan";
import type { AgentIdentityRecord } from "@agent-auth/agent-identity/record";
import type * as Redacted from "effect/Redacted";

/** Where a credential was found. "May it be overwritten, and what mends it?" is a match on this value. */
export type CredentialSource =
  | {
      readonly _tag: "Environment";
      readonly variable: "CODEX_API_KEY" | "CODEX_AGENT_IDENTITY" | "CODEX_ACCESS_TOKEN";
    }
  | { readonly _tag: "File"; readonly path: string }
  | { readonly _tag: "Keyring"; readonly service: string; readonly account: string }
  | { readonly _tag: "Ephemeral" }
  /** An external auth provider handed it over (an app server's client, a command). */
  | { readonly _tag: "External"; readonly name: string };

/** Who a credential speaks for. Absent means that the credential does not say. */
export interface Account {
  readonly accountId?: string;
  readonly userId?: string;
  readonly email?: string;
  readonly planType?: PlanType;
  readonly isFedrampAccount: boolean;
}

/**
 * Whether one credential may go on where another of the same kind left off, which was somebody's. Account and user ids
 * must be equal where both sides state them; an account that only one side states is not the other's. Where neither
 * states an account, the user id decides, else the e-mail address, by the same rule; two that state nothing at all
 * pass. Nothing of this is verified here.
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

/** A key of the API platform. It says nothing of its owner, and nothing checks it before a request. */
export interface ApiKeyCredential {
  readonly _tag: "ApiKey";
  readonly apiKey: Redacted.Redacted;
  readonly account: Account;
  readonly source: CredentialSource;
}

/** A person's sign-in. Its account comes from the id token, whose signature is never verified. */
export interface ChatgptCredential {
  readonly _tag: "Chatgpt";
  readonly accessToken: Redacted.Redacted;
  readonly refreshToken: Redacted.Redacted;
  readonly idToken: Redacted.Redacted;
  readonly account: Account;
  /** `exp` of the access token, milliseconds since the epoch. */
  readonly expiresAtMs?: number;
  readonly lastRefreshMs?: number;
  /** The agent identity that this sign-in owns (first design), unregistered. */
  readonly ownedIdentity?: AgentIdentityRecord;
  readonly source: CredentialSource;
}

/** ChatGPT tokens that somebody else keeps and renews; they are asked again after a 401, once. */
export interface ExternalChatgptCredential {
  readonly _tag: "ExternalChatgpt";
  readonly accessToken: Redacted.Redacted;
  /** Only where it was stored with the access token. Restrictions look at it; nothing sends it. */
  readonly idToken?: Redacted.Redacted;
  readonly account: Account;
  readonly expiresAtMs?: number;
  readonly source: CredentialSource;
}

/** An agent identity, verified (JWT) or written by a sign-in on this machine (record), with its task. */
export interface AgentIdentityCredential {
  readonly _tag: "AgentIdentity";
  readonly form: "jwt" | "record";
  readonly record: AgentIdentityRecord;
  readonly account: Account;
  /** `exp` of the JWT, milliseconds since the epoch; a record has none. */
  readonly expiresAtMs?: number;
  /** Bound to the task that this process registered. A new task makes a new credential value. */
  readonly signer: AssertionSigner;
  readonly source: CredentialSource;
}

/** A personal access token (`at-…`), looked up once with the accounts API. */
export interface PersonalAccessTokenCredential {
  readonly _tag: "PersonalAccessToken";
  readonly token: Redacted.Redacted;
  readonly account: Account;
  readonly source: CredentialSource;
}

/** A bearer token that a command or another program supplies; nothing is known of its owner. */
export interface BearerCredential {
  readonly _tag: "Bearer";
  readonly token: Redacted.Redacted;
  readonly account: Account;
  readonly source: CredentialSource;
}

/** What a request can be authenticated with: an immutable snapshot, never changed in place. */
export type Credential =
  | ApiKeyCredential
  | ChatgptCredential
  | ExternalChatgptCredential
  | AgentIdentityCredential
  | PersonalAccessTokenCredential
  | BearerCredential;
