import { parsePlanType } from "@agent-auth/agent-identity/record/plan";
import type * as Effect from "effect/Effect";
import * as z from "zod/mini";
import { RateLimitReachedType } from "../../schema/usage.ts";
import type { AccountServiceShape, RateLimits } from "../types.ts";
import { flag, integer, nullish, seconds, text } from "./lenient.ts";

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
const AdditionalLimit = z.object({
  limit_name: text,
  metered_feature: text,
  normal_model_slug: text,
  rate_limit: nullish(Limit),
});
const Credits = z.object({ has_credits: z.boolean(), unlimited: z.boolean(), balance: text });
const IndividualLimit = z.object({
  limit: z.string(),
  used: z.string(),
  remaining_percent: z.int(),
  reset_at: z.int(),
});
const Usage = z.object({
  plan_type: text,
  account_id: text,
  user_id: text,
  rate_limit: nullish(Limit),
  additional_rate_limits: nullish(z.array(AdditionalLimit)),
  credits: nullish(Credits),
  spend_control: nullish(z.object({ reached: flag, individual_limit: nullish(IndividualLimit) })),
  rate_limit_reached_type: nullish(z.object({ type: RateLimitReachedType })),
  rate_limit_reset_credits: nullish(z.object({ available_count: z.int() })),
  rate_limit_upsell: z.optional(z.unknown()),
});
type Usage = z.infer<typeof Usage>;
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
  const parsed = Usage.safeParse(json);
  if (!parsed.success) return undefined;
  const usage = parsed.data;
  const rateLimits = mainSnapshot(usage);
  const isOwners = belongsTo(owner, usage);
  return {
    ordinaryUsageAllowed: isOwners ? (usage.rate_limit?.allowed ?? null) : null,
    rateLimits,
    rateLimitsByLimitId: Object.fromEntries([
      [mainLimit, rateLimits],
      ...additionalSnapshots(usage),
    ]),
    rateLimitResetCredits: resetCreditsOf(usage.rate_limit_reset_credits, details),
    accountId: usage.account_id ?? null,
    rateLimitUpsell: isOwners ? (usage.rate_limit_upsell ?? null) : null,
  };
};

const belongsTo = ({ accountId, userId }: UsageOwner, usage: Usage): boolean =>
  accountId !== undefined &&
  userId !== undefined &&
  usage.account_id === accountId &&
  usage.user_id === userId;

const mainSnapshot = (usage: Usage): Snapshot => ({
  ...emptySnapshot(usage),
  ...windowsOf(usage.rate_limit),
  limitId: mainLimit,
  credits: creditsOf(usage.credits),
  individualLimit: individualLimitOf(usage.spend_control?.individual_limit),
  spendControlReached: usage.spend_control?.reached ?? null,
  rateLimitReachedType: usage.rate_limit_reached_type?.type ?? null,
});

/** The other limits, by their ids. */
const additionalSnapshots = (usage: Usage): ReadonlyArray<readonly [string, Snapshot]> =>
  (usage.additional_rate_limits ?? []).map((limit) => {
    const limitId = limit.metered_feature ?? limit.limit_name ?? "unknown";
    const snapshot: Snapshot = {
      ...emptySnapshot(usage),
      ...windowsOf(limit.rate_limit),
      limitId,
      limitName: limit.limit_name ?? null,
      normalModelSlug: limit.normal_model_slug ?? null,
    };
    return [limitId, snapshot];
  });

const emptySnapshot = ({ plan_type: planType }: Usage): Snapshot => ({
  limitId: null,
  limitName: null,
  normalModelSlug: null,
  primary: null,
  secondary: null,
  credits: null,
  individualLimit: null,
  spendControlReached: null,
  planType: planType == null ? null : parsePlanType(planType),
  rateLimitReachedType: null,
});

const creditsOf = (credits: Usage["credits"]): Snapshot["credits"] =>
  credits
    ? {
        hasCredits: credits.has_credits,
        unlimited: credits.unlimited,
        balance: credits.balance ?? null,
      }
    : null;

const individualLimitOf = (
  limit: z.infer<typeof IndividualLimit> | null | undefined,
): Snapshot["individualLimit"] =>
  limit
    ? {
        limit: limit.limit,
        used: limit.used,
        remainingPercent: limit.remaining_percent,
        resetsAt: limit.reset_at,
      }
    : null;

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
