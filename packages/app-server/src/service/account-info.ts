import type { Credential, WorkspaceAccess } from "@agent-auth/login/credential";
import type { LoginError } from "@agent-auth/login/errors";
import type * as Redacted from "effect/Redacted";
import type { AccountInfo, AccountUnavailable, AccountUpdated, AuthMode } from "./types.ts";

/** How Codex names the kind of a credential; null for one that belongs to no account. */
export const authModeOf = (credential: Credential | null): AuthMode | null => {
  switch (credential?._tag) {
    case "ApiKey":
      return "apikey";
    case "Chatgpt":
      return "chatgpt";
    case "ExternalChatgpt":
      return "chatgptAuthTokens";
    case "AgentIdentity":
      return "agentIdentity";
    case "PersonalAccessToken":
      return "personalAccessToken";
    case "WorkloadIdentity":
      return credential.backend === "api" ? "apikey" : "chatgptAuthTokens";
    default:
      return null;
  }
};

/** The token that `getAuthStatus` returns. An agent has none, and a personal access token is not a session's. */
export const tokenOf = (credential: Credential): Redacted.Redacted | null => {
  switch (credential._tag) {
    case "ApiKey":
      return credential.apiKey;
    case "Chatgpt":
    case "ExternalChatgpt":
      return credential.accessToken;
    default:
      return null;
  }
};

/** The answer to `account/read` for a credential that requests would use. */
export const signedInAs = (credential: Credential, chatgptBaseUrl: string): AccountInfo => {
  const workspaceRouting = routingOf(credential, chatgptBaseUrl);
  const rest = { requiresOpenaiAuth: true, workspaceRouting };
  const { email, planType, userId } = credential.account;
  switch (authModeOf(credential)) {
    case "apikey":
      return { account: { type: "apiKey" }, userId: null, ...rest };
    case null:
      return noAccount(otherProvider, true);
    default:
      return {
        account: {
          type: "chatgpt",
          email: email ?? null,
          planType: planType ?? "unknown",
          workspaceName: workspaceOf(credential)?.name ?? null,
        },
        userId: userId ?? null,
        ...rest,
      };
  }
};

/** What the backend said about the workspace of a credential; absent for keys and agents. */
export const workspaceOf = (credential: Credential): WorkspaceAccess | undefined =>
  "workspace" in credential ? credential.workspace : undefined;

const routingOf = (
  credential: Credential,
  chatgptBaseUrl: string,
): AccountInfo["workspaceRouting"] => {
  const workspace = workspaceOf(credential);
  const { accountId } = credential.account;
  if (workspace === undefined || accountId === undefined) return null;
  return {
    chatgptAccountId: accountId,
    backendOrigin: workspace.origin ?? new URL(chatgptBaseUrl).origin,
    accountRoutingOverride: workspace.routingOverride ?? "NO_CONSTRAINT",
  };
};

/** The answer to `account/read` if there is no account, and why. */
export const noAccount = (
  accountUnavailable: AccountUnavailable,
  requiresOpenaiAuth: boolean,
): AccountInfo => ({
  account: null,
  userId: null,
  requiresOpenaiAuth,
  workspaceRouting: null,
  accountUnavailable,
});

export const signedOut: AccountUnavailable = {
  reason: "signedOut",
  message: "not signed in",
  code: null,
  hint: "Sign in.",
  remedy: "signIn",
};

export const otherProvider: AccountUnavailable = {
  reason: "otherProvider",
  message: "the model provider does not use the signed-in account",
  code: null,
  hint: null,
  remedy: null,
};

export const unusable = ({ code, hint, message, remedy }: LoginError): AccountUnavailable => ({
  reason: "unusable",
  message,
  code,
  hint,
  remedy,
});

/** The event for a new credential. */
export const updatedTo = (
  credential: Credential | null,
  planType = planOf(credential),
): AccountUpdated => ({ authMode: authModeOf(credential), planType, reason: null });

const planOf = (credential: Credential | null): AccountUpdated["planType"] =>
  hasChatgptAccount(credential) ? (credential.account.planType ?? "unknown") : null;

/** Whether requests with this credential go to the account of a ChatGPT workspace. */
export const hasChatgptAccount = (credential: Credential | null): credential is Credential => {
  const mode = authModeOf(credential);
  return mode !== null && mode !== "apikey";
};

/** Whether two credentials are of the same kind and account, so that one is a refresh of the other. */
export const isSameSignIn = (one: Credential | null, other: Credential | null): boolean =>
  one === other ||
  (one !== null &&
    other !== null &&
    one._tag === other._tag &&
    one._tag !== "ApiKey" &&
    one.account.accountId === other.account.accountId &&
    one.account.userId === other.account.userId &&
    one.account.email === other.account.email &&
    one.account.planType === other.account.planType);
