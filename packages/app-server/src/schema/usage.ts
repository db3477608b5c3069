import * as z from "zod/mini";
import { PlanType } from "./account.ts";

const RateLimitWindow = z.object({
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

export const RateLimitSnapshot = z.object({
  limitId: z.nullable(z.string()),
  limitName: z.nullable(z.string()),
  normalModelSlug: z.nullable(z.string()),
  primary: z.nullable(RateLimitWindow),
  secondary: z.nullable(RateLimitWindow),
  credits: z.nullable(
    z.object({ hasCredits: z.boolean(), unlimited: z.boolean(), balance: z.nullable(z.string()) }),
  ),
  individualLimit: z.nullable(
    z.object({
      limit: z.string(),
      used: z.string(),
      remainingPercent: z.int(),
      resetsAt: z.int(),
    }),
  ),
  spendControlReached: z.nullable(z.boolean()),
  planType: z.nullable(PlanType),
  rateLimitReachedType: z.nullable(RateLimitReachedType),
});

const RateLimitResetCredit = z.object({
  id: z.string(),
  resetType: z.enum(["codexRateLimits", "unknown"]),
  status: z.enum(["available", "redeeming", "redeemed", "unknown"]),
  grantedAt: z.int(),
  expiresAt: z.nullable(z.int()),
  title: z.nullable(z.string()),
  description: z.nullable(z.string()),
});

export const GetAccountRateLimitsParams = z.object({
  supportsLunaReserve: z.optional(z.boolean()),
  excludeResetCreditDetails: z.optional(z.boolean()),
});

export const GetAccountRateLimitsResponse = z.object({
  ordinaryUsageAllowed: z.nullable(z.boolean()),
  rateLimits: RateLimitSnapshot,
  rateLimitsByLimitId: z.nullable(z.record(z.string(), RateLimitSnapshot)),
  rateLimitResetCredits: z.nullable(
    z.object({
      availableCount: z.int(),
      credits: z.nullable(z.array(RateLimitResetCredit)),
    }),
  ),
  accountId: z.nullable(z.string()),
  rateLimitUpsell: z.optional(z.unknown()),
});

export const GetAccountTokenUsageParams = z.object({
  threadId: z.optional(z.nullable(z.string())),
});

const count = z.nullable(z.int());

export const GetAccountTokenUsageResponse = z.object({
  summary: z.object({
    lifetimeTokens: count,
    peakDailyTokens: count,
    longestRunningTurnSec: count,
    currentStreakDays: count,
    longestStreakDays: count,
  }),
  dailyUsageBuckets: z.nullable(z.array(z.object({ startDate: z.string(), tokens: z.int() }))),
  threadUsage: z.optional(
    z.nullable(
      z.object({
        threadId: z.string(),
        estimatedUsageCreditsMicros: z.int(),
        estimatedUsageUsdMicros: count,
        nativeUsageUsdMicros: z.optional(count),
        groups: z.array(
          z.object({
            model: z.nullable(z.string()),
            reasoningEffort: z.nullable(z.string()),
            speed: z.nullable(z.string()),
            estimatedUsageCreditsMicros: z.int(),
            netNewInputTokens: count,
            cachedInputTokens: count,
            inputTokens: count,
            outputTokens: count,
            totalTokens: count,
          }),
        ),
      }),
    ),
  ),
});

export const GetWorkspaceMessagesResponse = z.object({
  featureEnabled: z.boolean(),
  messages: z.array(
    z.object({
      messageId: z.string(),
      messageType: z.enum(["headline", "announcement", "unknown"]),
      messageBody: z.string(),
      createdAt: z.nullable(z.int()),
      archivedAt: z.nullable(z.int()),
    }),
  ),
});

export const GetAccountSecuritySetupResponse = z.object({
  notice: z.nullable(
    z.object({
      accountId: z.string(),
      userId: z.string(),
      title: z.string(),
      description: z.string(),
      action: z.object({ label: z.string(), url: z.string() }),
    }),
  ),
});

export const SendAddCreditsNudgeEmailParams = z.object({
  creditType: z.enum(["credits", "usage_limit"]),
});
export const SendAddCreditsNudgeEmailResponse = z.object({
  status: z.enum(["sent", "cooldown_active"]),
});

export const ConsumeAccountRateLimitResetCreditParams = z.object({
  idempotencyKey: z.string(),
  creditId: z.optional(z.nullable(z.string())),
});
export const ConsumeAccountRateLimitResetCreditResponse = z.object({
  outcome: z.enum(["reset", "nothingToReset", "noCredit", "alreadyRedeemed"]),
});
