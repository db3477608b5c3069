import { planTypes } from "@agent-auth/agent-identity/record/plan";
import * as z from "zod/mini";

export const AuthMode = z.enum([
  "apikey",
  "chatgpt",
  "chatgptAuthTokens",
  "headers",
  "agentIdentity",
  "personalAccessToken",
  "bedrockApiKey",
  "bedrockAccessKeys",
]);

export const PlanType = z.enum(planTypes);

export const Remedy = z.enum([
  "signIn",
  "retry",
  "fixInput",
  "fixEnvironment",
  "fixConfig",
  "fixStore",
  "fixNetwork",
  "contactAdmin",
]);

export const Account = z.discriminatedUnion("type", [
  z.object({ type: z.literal("apiKey") }),
  z.object({
    type: z.literal("chatgpt"),
    email: z.nullable(z.string()),
    planType: PlanType,
    workspaceName: z.nullable(z.string()),
  }),
  z.object({
    type: z.literal("amazonBedrock"),
    usesCodexManagedCredentials: z._default(z.boolean(), false),
  }),
  z.object({ type: z.literal("gcp") }),
]);

export const AccountRoutingOverride = z.enum(["NO_CONSTRAINT", "us", "us_cr"]);

export const WorkspaceRouting = z.object({
  chatgptAccountId: z.string(),
  backendOrigin: z.string(),
  accountRoutingOverride: AccountRoutingOverride,
});

/**
 * Why there is no account. Codex does not have this type.
 *
 * - `signedOut`: there is no sign-in.
 * - `otherProvider`: the model provider uses its own credential, or none.
 * - `unusable`: there is a credential, but it cannot be used; `code`, `hint` and `remedy` are those of the error.
 */
export const AccountUnavailable = z.object({
  reason: z.enum(["signedOut", "otherProvider", "unusable"]),
  message: z.string(),
  code: z.nullable(z.string()),
  hint: z.nullable(z.string()),
  remedy: z.nullable(Remedy),
});

export const GetAccountParams = z.object({ refreshToken: z.optional(z.boolean()) });

export const GetAccountResponse = z.object({
  account: z.nullable(Account),
  userId: z.nullable(z.string()),
  requiresOpenaiAuth: z.boolean(),
  workspaceRouting: z.nullable(WorkspaceRouting),
  /** Present if `account` is null. Codex does not have this member. */
  accountUnavailable: z.optional(AccountUnavailable),
});

export const GetAuthStatusParams = z.object({
  includeToken: z.optional(z.nullable(z.boolean())),
  refreshToken: z.optional(z.nullable(z.boolean())),
});

export const GetAuthStatusResponse = z.object({
  authMethod: z.nullable(AuthMode),
  authToken: z.nullable(z.string()),
  requiresOpenaiAuth: z.nullable(z.boolean()),
});

export const LoginAppBrand = z.enum(["codex", "chatgpt"]);

export const LoginAccountParams = z.discriminatedUnion("type", [
  z.object({ type: z.literal("apiKey"), apiKey: z.string() }),
  z.object({
    type: z.literal("chatgpt"),
    codexStreamlinedLogin: z.optional(z.boolean()),
    useHostedLoginSuccessPage: z.optional(z.boolean()),
    appBrand: z.optional(z.nullable(LoginAppBrand)),
  }),
  z.object({ type: z.literal("chatgptDeviceCode") }),
  z.object({
    type: z.literal("chatgptAuthTokens"),
    accessToken: z.string(),
    chatgptAccountId: z.string(),
    chatgptPlanType: z.optional(z.nullable(z.string())),
  }),
  z.object({ type: z.literal("amazonBedrock"), apiKey: z.string(), region: z.string() }),
  z.object({
    type: z.literal("amazonBedrockAccessKeys"),
    accessKeyId: z.string(),
    secretAccessKey: z.string(),
    sessionToken: z.optional(z.nullable(z.string())),
    region: z.string(),
  }),
]);

export const LoginAccountResponse = z.discriminatedUnion("type", [
  z.object({ type: z.literal("apiKey") }),
  z.object({ type: z.literal("chatgpt"), loginId: z.string(), authUrl: z.string() }),
  z.object({
    type: z.literal("chatgptDeviceCode"),
    loginId: z.string(),
    verificationUrl: z.string(),
    userCode: z.string(),
  }),
  z.object({ type: z.literal("chatgptAuthTokens") }),
  z.object({ type: z.literal("amazonBedrock") }),
]);

export const CancelLoginAccountParams = z.object({ loginId: z.string() });
export const CancelLoginAccountStatus = z.enum(["canceled", "notFound"]);
export const CancelLoginAccountResponse = z.object({ status: CancelLoginAccountStatus });

export const LogoutAccountResponse = z.object({});

export const DesktopOnboardingEntrypoint = z.literal("life_sciences");

export const AccountLoginCompletedNotification = z.object({
  loginId: z.nullable(z.string()),
  success: z.boolean(),
  error: z.nullable(z.string()),
  onboardingEntrypoint: z.nullable(DesktopOnboardingEntrypoint),
});

export const AccountUpdateReason = z.enum(["workspaceRoutingReady", "unknown"]);

export const AccountUpdatedNotification = z.object({
  authMode: z.nullable(AuthMode),
  planType: z.nullable(PlanType),
  reason: z.nullable(AccountUpdateReason),
});

export const ChatgptAuthTokensRefreshReason = z.enum(["unauthorized"]);

export const ChatgptAuthTokensRefreshParams = z.object({
  reason: ChatgptAuthTokensRefreshReason,
  previousAccountId: z.optional(z.nullable(z.string())),
});

export const ChatgptAuthTokensRefreshResponse = z.object({
  accessToken: z.string(),
  chatgptAccountId: z.string(),
  chatgptPlanType: z.optional(z.nullable(z.string())),
});

export const AccountSessionWorkspaceKind = z.enum(["personal", "workspace"]);

export const AccountSessionWorkspace = z.object({
  accountId: z.string(),
  name: z.nullable(z.string()),
  imageUrl: z.nullable(z.string()),
  kind: z.nullable(AccountSessionWorkspaceKind),
});

export const AccountSession = z.object({
  sessionId: z.string(),
  email: z.nullable(z.string()),
  userId: z.nullable(z.string()),
  displayName: z.nullable(z.string()),
  imageUrl: z.nullable(z.string()),
  /** Unix time in seconds. */
  lastUsedAt: z.int(),
  isActive: z.boolean(),
  selectedWorkspaceAccountId: z.nullable(z.string()),
  workspaces: z.array(AccountSessionWorkspace),
});

export const AccountSessionsListParams = z.object({
  refreshWorkspaceMetadata: z.optional(z.boolean()),
});

export const AccountSessionsResponse = z.object({
  activeSessionId: z.nullable(z.string()),
  sessions: z.array(AccountSession),
});

export const AccountSessionsSwitchParams = z.object({
  sessionId: z.string(),
  accountId: z.string(),
  allowBrowserLogin: z.optional(z.boolean()),
});

export const AccountSessionsSwitchResponse = z.union([
  z.object({ activeSessionId: z.nullable(z.string()), sessions: z.array(AccountSession) }),
  z.object({ loginId: z.string(), authUrl: z.string() }),
]);
