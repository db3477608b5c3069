import * as z from "zod/mini";
import type { TokenUsage } from "../types.ts";
import { integer, nullish, text } from "./lenient.ts";

const Profile = z.object({
  stats: z.object({
    lifetime_tokens: integer,
    peak_daily_tokens: integer,
    longest_running_turn_sec: integer,
    current_streak_days: integer,
    longest_streak_days: integer,
    daily_usage_buckets: nullish(z.array(z.object({ start_date: z.string(), tokens: z.int() }))),
  }),
});

/** Returns the answer to `account/usage/read` for the response of `/profiles/me`; `undefined` if it is not one. */
export const readTokenUsage = (json: unknown): TokenUsage | undefined => {
  const profile = Profile.safeParse(json);
  if (!profile.success) return undefined;
  const { stats } = profile.data;
  return {
    summary: {
      lifetimeTokens: stats.lifetime_tokens ?? null,
      peakDailyTokens: stats.peak_daily_tokens ?? null,
      longestRunningTurnSec: stats.longest_running_turn_sec ?? null,
      currentStreakDays: stats.current_streak_days ?? null,
      longestStreakDays: stats.longest_streak_days ?? null,
    },
    dailyUsageBuckets:
      stats.daily_usage_buckets?.map(({ start_date, tokens }) => ({
        startDate: start_date,
        tokens,
      })) ?? null,
  };
};

const Estimate = z.object({
  thread_id: z.string(),
  estimated_usage_credits_micros: z.int(),
  estimated_usage_usd_micros: integer,
  native_usage_usd_micros: integer,
  groups: z.array(
    z.object({
      model: text,
      reasoning_effort: text,
      speed: text,
      estimated_usage_credits_micros: z.int(),
      net_new_input_tokens: integer,
      cached_input_tokens: integer,
      input_tokens: integer,
      output_tokens: integer,
      total_tokens: integer,
    }),
  ),
});

/** Returns the usage of this thread in the response of `/usage/thread_usage/query`; `undefined` if it is not there. */
export const readThreadUsage = (
  json: unknown,
  threadId: string,
): NonNullable<TokenUsage["threadUsage"]> | undefined => {
  const parsed = z.object({ threads: z.array(Estimate) }).safeParse(json);
  const found = parsed.success
    ? parsed.data.threads.find((one) => one.thread_id === threadId)
    : undefined;
  return found === undefined
    ? undefined
    : {
        threadId,
        estimatedUsageCreditsMicros: found.estimated_usage_credits_micros,
        estimatedUsageUsdMicros: found.estimated_usage_usd_micros ?? null,
        nativeUsageUsdMicros: found.native_usage_usd_micros ?? null,
        groups: found.groups.map((group) => ({
          model: group.model ?? null,
          reasoningEffort: group.reasoning_effort ?? null,
          speed: group.speed ?? null,
          estimatedUsageCreditsMicros: group.estimated_usage_credits_micros,
          netNewInputTokens: group.net_new_input_tokens ?? null,
          cachedInputTokens: group.cached_input_tokens ?? null,
          inputTokens: group.input_tokens ?? null,
          outputTokens: group.output_tokens ?? null,
          totalTokens: group.total_tokens ?? null,
        })),
      };
};

/** Returns the answer to `account/usage/read` about one thread. The response of the backend contains nothing else. */
export const threadUsageOnly = (threadUsage: TokenUsage["threadUsage"]): TokenUsage => ({
  summary: {
    lifetimeTokens: null,
    peakDailyTokens: null,
    longestRunningTurnSec: null,
    currentStreakDays: null,
    longestStreakDays: null,
  },
  dailyUsageBuckets: null,
  threadUsage,
});
