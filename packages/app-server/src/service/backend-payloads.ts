import { parsePlanType } from "@agent-auth/agent-identity/record/plan";
import * as z from "zod/mini";
import { RateLimitReachedType } from "../schema/usage.ts";
import type {
  AccountServiceShape,
  AccountSessions,
  RateLimits,
  TokenUsage,
  WorkspaceMessages,
} from "./types.ts";
import type * as Effect from "effect/Effect";

// Responses of the account's backend. Members that are absent or of another type count as unknown, since newer backends
// may change them.

const nullish = <A extends z.ZodMiniType>(schema: A) =>
  z.catch(z.optional(z.nullable(schema)), undefined);
const text = nullish(z.string());
const integer = nullish(z.int());
const flag = nullish(z.boolean());
/** A time as RFC 3339 writes it, as Unix seconds. */
const seconds = z.pipe(
  z.string().check(z.refine((time) => !Number.isNaN(Date.parse(time)))),
  z.transform((time) => Math.floor(Date.parse(time) / 1000)),
);
const time = nullish(seconds);

const Window = z.object({
  used_percent: z.number(),
  limit_window_seconds: integer,
  reset_at: integer,
});
const Limit = z.object({
  allowed: flag,
  primary_window: nullish(Window),
  secondary_window: nullish(Window),
});
const Usage = z.object({
  plan_type: text,
  account_id: text,
  user_id: text,
  rate_limit: nullish(Limit),
  additional_rate_limits: nullish(
    z.array(
      z.object({
        limit_name: text,
        metered_feature: text,
        normal_model_slug: text,
        rate_limit: nullish(Limit),
      }),
    ),
  ),
  credits: nullish(z.object({ has_credits: z.boolean(), unlimited: z.boolean(), balance: text })),
  spend_control: nullish(
    z.object({
      reached: flag,
      individual_limit: nullish(
        z.object({
          limit: z.string(),
          used: z.string(),
          remaining_percent: z.int(),
          reset_at: z.int(),
        }),
      ),
    }),
  ),
  rate_limit_reached_type: nullish(z.object({ type: RateLimitReachedType })),
  rate_limit_reset_credits: nullish(z.object({ available_count: z.int() })),
  rate_limit_upsell: z.optional(z.unknown()),
});
const ResetCredits = z.object({
  available_count: integer,
  credits: z.array(
    z.object({
      id: z.string(),
      reset_type: text,
      status: text,
      granted_at: seconds,
      expires_at: z.nullish(seconds),
      title: text,
      description: text,
    }),
  ),
});

type Snapshot = RateLimits["rateLimits"];

const mainLimit = "codex";

/** Whose usage was asked for. */
export interface UsageOwner {
  readonly accountId?: string;
  readonly userId?: string;
}

/**
 * Returns the answer to `account/rateLimits/read` for the response of `/usage`; `undefined` if it is not one. What the
 * backend allows and offers is only passed on if the response names the owner's account and user, as in Codex.
 */
export const readRateLimits = (
  json: unknown,
  details: unknown,
  owner: UsageOwner,
): RateLimits | undefined => {
  const usage = Usage.safeParse(json);
  if (!usage.success) return undefined;
  const { data } = usage;
  const planType = data.plan_type == null ? null : parsePlanType(data.plan_type);
  const plain: Snapshot = {
    limitId: null,
    limitName: null,
    normalModelSlug: null,
    primary: null,
    secondary: null,
    credits: null,
    individualLimit: null,
    spendControlReached: null,
    planType,
    rateLimitReachedType: null,
  };
  const individual = data.spend_control?.individual_limit;
  const rateLimits: Snapshot = {
    ...plain,
    ...windowsOf(data.rate_limit),
    limitId: mainLimit,
    credits: data.credits
      ? {
          hasCredits: data.credits.has_credits,
          unlimited: data.credits.unlimited,
          balance: data.credits.balance ?? null,
        }
      : null,
    individualLimit: individual
      ? {
          limit: individual.limit,
          used: individual.used,
          remainingPercent: individual.remaining_percent,
          resetsAt: individual.reset_at,
        }
      : null,
    spendControlReached: data.spend_control?.reached ?? null,
    rateLimitReachedType: data.rate_limit_reached_type?.type ?? null,
  };
  const others = (data.additional_rate_limits ?? []).map((limit): [string, Snapshot] => {
    const limitId = limit.metered_feature ?? limit.limit_name ?? "unknown";
    const limitName = limit.limit_name ?? null;
    const normalModelSlug = limit.normal_model_slug ?? null;
    const windows = windowsOf(limit.rate_limit);
    return [limitId, { ...plain, ...windows, limitId, limitName, normalModelSlug }];
  });
  const isOwners =
    owner.accountId !== undefined &&
    owner.userId !== undefined &&
    data.account_id === owner.accountId &&
    data.user_id === owner.userId;
  return {
    ordinaryUsageAllowed: isOwners ? (data.rate_limit?.allowed ?? null) : null,
    rateLimits,
    rateLimitsByLimitId: Object.fromEntries([[mainLimit, rateLimits], ...others]),
    rateLimitResetCredits: resetCreditsOf(data.rate_limit_reset_credits, details),
    accountId: data.account_id ?? null,
    rateLimitUpsell: isOwners ? (data.rate_limit_upsell ?? null) : null,
  };
};

const windowsOf = (
  limit: z.infer<typeof Limit> | null | undefined,
): Pick<Snapshot, "primary" | "secondary"> => ({
  primary: windowOf(limit?.primary_window),
  secondary: windowOf(limit?.secondary_window),
});

const windowOf = (window: z.infer<typeof Window> | null | undefined): Snapshot["primary"] =>
  window == null
    ? null
    : {
        usedPercent: Math.round(window.used_percent),
        windowDurationMins: Math.ceil((window.limit_window_seconds ?? 0) / 60) || null,
        resetsAt: window.reset_at ?? null,
      };

const resetCreditsOf = (
  summary: { readonly available_count: number } | null | undefined,
  details: unknown,
): RateLimits["rateLimitResetCredits"] => {
  const parsed = ResetCredits.safeParse(details);
  if (summary == null && !parsed.success) return null;
  const credits = parsed.success ? parsed.data.credits : null;
  return {
    availableCount:
      (parsed.success ? parsed.data.available_count : undefined) ?? summary?.available_count ?? 0,
    credits:
      credits?.map((credit) => ({
        id: credit.id,
        resetType: credit.reset_type === "codex_rate_limits" ? "codexRateLimits" : "unknown",
        status: isStatus(credit.status) ? credit.status : "unknown",
        grantedAt: credit.granted_at,
        expiresAt: credit.expires_at ?? null,
        title: credit.title ?? null,
        description: credit.description ?? null,
      })) ?? null,
  };
};

const isStatus = (status: unknown): status is "available" | "redeeming" | "redeemed" =>
  status === "available" || status === "redeeming" || status === "redeemed";

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

const Messages = z.object({
  messages: z._default(
    z.array(
      z.object({
        message_id: z.string(),
        message_type: text,
        message_body: z.string(),
        created_at: time,
        archived_at: time,
      }),
    ),
    [],
  ),
});

/** Returns the answer to `account/workspaceMessages/read`; `undefined` for another response. */
export const readWorkspaceMessages = (json: unknown): WorkspaceMessages | undefined => {
  const parsed = Messages.safeParse(json);
  if (!parsed.success) return undefined;
  return {
    featureEnabled: true,
    messages: parsed.data.messages.map((message) => ({
      messageId: message.message_id,
      messageType:
        message.message_type === "headline" || message.message_type === "announcement"
          ? message.message_type
          : "unknown",
      messageBody: message.message_body,
      createdAt: message.created_at ?? null,
      archivedAt: message.archived_at ?? null,
    })),
  };
};

const Workspaces = z.object({
  accounts: z.array(
    z.object({
      id: z.string(),
      name: text,
      profile_picture_url: text,
      structure: text,
      can_access_with_session: flag,
      sso_connection_name: text,
      is_deactivated: flag,
      is_fedramp_compliant_workspace: flag,
    }),
  ),
});

/** A workspace of a login, and how it can be switched to. */
export interface SwitchableWorkspace {
  readonly shown: AccountSessions["sessions"][number]["workspaces"][number];
  /**
   * - `token`: the backend exchanges the login's token.
   * - `signIn`: only a new sign-in helps, with the workspace's single sign-on connection if it has one.
   * - `government`, `unavailable`: it cannot be switched to from here.
   */
  readonly access: "token" | "signIn" | "government" | "unavailable";
  readonly connection?: string;
}

/** Returns the workspaces in the response of `/accounts/check`; `undefined` for another response. */
export const readWorkspaces = (json: unknown): ReadonlyArray<SwitchableWorkspace> | undefined => {
  const parsed = Workspaces.safeParse(json);
  return parsed.success
    ? parsed.data.accounts.map((account) => ({
        shown: {
          accountId: account.id,
          name: account.name ?? null,
          imageUrl: account.profile_picture_url ?? null,
          kind:
            account.structure === "personal" || account.structure === "workspace"
              ? account.structure
              : null,
        },
        access: accessOf(account),
        ...(account.sso_connection_name ? { connection: account.sso_connection_name } : {}),
      }))
    : undefined;
};

type RawWorkspace = z.infer<typeof Workspaces>["accounts"][number];

const accessOf = (workspace: RawWorkspace): SwitchableWorkspace["access"] => {
  if (workspace.is_deactivated === true) return "unavailable";
  if (workspace.is_fedramp_compliant_workspace === true) return "government";
  return workspace.can_access_with_session === false ? "signIn" : "token";
};

type Outcome = Effect.Success<ReturnType<AccountServiceShape["consumeRateLimitResetCredit"]>>;

const outcomes: ReadonlyMap<string, Outcome["outcome"]> = new Map([
  ["reset", "reset"],
  ["nothing_to_reset", "nothingToReset"],
  ["no_credit", "noCredit"],
  ["already_redeemed", "alreadyRedeemed"],
]);

/** Returns the answer to `account/rateLimitResetCredit/consume`; `undefined` for another response. */
export const readConsumeOutcome = (json: unknown): Outcome | undefined => {
  const parsed = z.object({ code: z.string() }).safeParse(json);
  const outcome = parsed.success ? outcomes.get(parsed.data.code) : undefined;
  return outcome === undefined ? undefined : { outcome };
};
