import * as z from "zod/mini";
import { PlanType } from "./account.ts";

export const RateLimitWindow = z.object({
  usedPercent: z.int(),
  windowDurationMins: z.nullable(z.int()),
  /** Unix time in seconds. */
  resetsAt: z.nullable(z.int()),
});

export const RateLimitReachedType = z.enum([
  "rate_limit_reached",
  "workspace_owner_credits_depleted",
  "workspace_member_credits_depleted",
  "workspace_owner_usage_limit_reached",
  "workspace_member_usage_limit_reached",
]);

export const CreditsSnapshot = z.object({
  hasCredits: z.boolean(),
  unlimited: z.boolean(),
  balance: z.nullable(z.string()),
});

export const SpendControlLimitSnapshot = z.object({
  limit: z.string(),
  used: z.string(),
  remainingPercent: z.int(),
  resetsAt: z.int(),
});

export const RateLimitSnapshot = z.object({
  limitId: z.nullable(z.string()),
  limitName: z.nullable(z.string()),
  normalModelSlug: z.nullable(z.string()),
  primary: z.nullable(RateLimitWindow),
  secondary: z.nullable(RateLimitWindow),
  credits: z.nullable(CreditsSnapshot),
  individualLimit: z.nullable(SpendControlLimitSnapshot),
  spendControlReached: z.nullable(z.boolean()),
  planType: z.nullable(PlanType),
  rateLimitReachedType: z.nullable(RateLimitReachedType),
});

export const RateLimitResetType = z.enum(["codexRateLimits", "unknown"]);
export const RateLimitResetCreditStatus = z.enum(["available", "redeeming", "redeemed", "unknown"]);

export const RateLimitResetCredit = z.object({
  id: z.string(),
  resetType: RateLimitResetType,
  status: RateLimitResetCreditStatus,
  grantedAt: z.int(),
  expiresAt: z.nullable(z.int()),
  title: z.nullable(z.string()),
  description: z.nullable(z.string()),
});

export const RateLimitResetCreditsSummary = z.object({
  availableCount: z.int(),
  credits: z.nullable(z.array(RateLimitResetCredit)),
});

export const GetAccountRateLimitsParams = z.object({
  supportsLunaReserve: z.optional(z.boolean()),
  excludeResetCreditDetails: z.optional(z.boolean()),
});

export const GetAccountRateLimitsResponse = z.object({
  ordinaryUsageAllowed: z.nullable(z.boolean()),
  rateLimits: RateLimitSnapshot,
  rateLimitsByLimitId: z.nullable(z.record(z.string(), RateLimitSnapshot)),
  rateLimitResetCredits: z.nullable(RateLimitResetCreditsSummary),
  accountId: z.nullable(z.string()),
  rateLimitUpsell: z.optional(z.unknown()),
});

export const GetAccountTokenUsageParams = z.object({
  threadId: z.optional(z.nullable(z.string())),
});

const count = z.nullable(z.int());

export const AccountTokenUsageSummary = z.object({
  lifetimeTokens: count,
  peakDailyTokens: count,
  longestRunningTurnSec: count,
  currentStreakDays: count,
  longestStreakDays: count,
});

export const AccountTokenUsageDailyBucket = z.object({ startDate: z.string(), tokens: z.int() });

export const ThreadUsageBreakdownGroup = z.object({
  model: z.nullable(z.string()),
  reasoningEffort: z.nullable(z.string()),
  speed: z.nullable(z.string()),
  estimatedUsageCreditsMicros: z.int(),
  netNewInputTokens: count,
  cachedInputTokens: count,
  inputTokens: count,
  outputTokens: count,
  totalTokens: count,
});

export const ThreadUsage = z.object({
  threadId: z.string(),
  estimatedUsageCreditsMicros: z.int(),
  estimatedUsageUsdMicros: count,
  nativeUsageUsdMicros: z.optional(count),
  groups: z.array(ThreadUsageBreakdownGroup),
});

export const GetAccountTokenUsageResponse = z.object({
  summary: AccountTokenUsageSummary,
  dailyUsageBuckets: z.nullable(z.array(AccountTokenUsageDailyBucket)),
  threadUsage: z.optional(z.nullable(ThreadUsage)),
});

export const WorkspaceMessageType = z.enum(["headline", "announcement", "unknown"]);

export const WorkspaceMessage = z.object({
  messageId: z.string(),
  messageType: WorkspaceMessageType,
  messageBody: z.string(),
  createdAt: z.nullable(z.int()),
  archivedAt: z.nullable(z.int()),
});

export const GetWorkspaceMessagesResponse = z.object({
  featureEnabled: z.boolean(),
  messages: z.array(WorkspaceMessage),
});

export const AccountSecuritySetupAction = z.object({ label: z.string(), url: z.string() });

export const AccountSecuritySetupNotice = z.object({
  accountId: z.string(),
  userId: z.string(),
  title: z.string(),
  description: z.string(),
  action: AccountSecuritySetupAction,
});

export const GetAccountSecuritySetupResponse = z.object({
  notice: z.nullable(AccountSecuritySetupNotice),
});

export const AddCreditsNudgeCreditType = z.enum(["credits", "usage_limit"]);
export const AddCreditsNudgeEmailStatus = z.enum(["sent", "cooldown_active"]);

export const SendAddCreditsNudgeEmailParams = z.object({ creditType: AddCreditsNudgeCreditType });
export const SendAddCreditsNudgeEmailResponse = z.object({ status: AddCreditsNudgeEmailStatus });

export const ConsumeAccountRateLimitResetCreditOutcome = z.enum([
  "reset",
  "nothingToReset",
  "noCredit",
  "alreadyRedeemed",
]);
export const ConsumeAccountRateLimitResetCreditParams = z.object({
  idempotencyKey: z.string(),
  creditId: z.optional(z.nullable(z.string())),
});
export const ConsumeAccountRateLimitResetCreditResponse = z.object({
  outcome: ConsumeAccountRateLimitResetCreditOutcome,
});
