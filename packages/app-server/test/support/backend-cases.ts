// Requests that need the account's backend, with the answers of `codex app-server` 0.171. The sign-in is of user-1 in acct-1.

export interface BackendCase {
  readonly title: string;
  readonly method: string;
  readonly params: object;
  /** What the backend answers, by the end of the path. 404 for others. */
  readonly routes: Readonly<Record<string, { readonly status?: number; readonly body: unknown }>>;
  readonly expected: object;
}

const window = (usedPercent: number, seconds = 18_000) => ({
  used_percent: usedPercent,
  limit_window_seconds: seconds,
  reset_after_seconds: 100,
  reset_at: 1_800_000_000,
});
const limit = (allowed: boolean) => ({
  allowed,
  limit_reached: !allowed,
  primary_window: window(12, 18_001),
  secondary_window: null,
});
const own = { plan_type: "pro", account_id: "acct-1", user_id: "user-1", rate_limit: limit(true) };

const snapshot = (changed: object = {}) => ({
  limitId: "codex",
  limitName: null,
  normalModelSlug: null,
  primary: { usedPercent: 12, windowDurationMins: 301, resetsAt: 1_800_000_000 },
  secondary: null,
  credits: null,
  individualLimit: null,
  spendControlReached: null,
  planType: "pro",
  rateLimitReachedType: null,
  ...changed,
});
const limits = (changed: object = {}, codex = snapshot(), others: object = {}) => ({
  ordinaryUsageAllowed: true,
  rateLimits: codex,
  rateLimitsByLimitId: { codex, ...others },
  rateLimitResetCredits: null,
  accountId: "acct-1",
  rateLimitUpsell: null,
  ...changed,
});

const rateLimits = (
  title: string,
  usage: object,
  expected: object,
  more: Partial<BackendCase> = {},
) => ({
  title,
  method: "account/rateLimits/read",
  params: {},
  ...more,
  routes: { "/wham/usage": { body: usage }, ...more.routes },
  expected,
});

const credit = {
  id: "c1",
  reset_type: "codex_rate_limits",
  status: "available",
  granted_at: "2026-01-01T00:00:00Z",
  expires_at: "2026-02-01T00:00:00Z",
  title: "t",
  description: "d",
};
const shownCredit = {
  id: "c1",
  resetType: "codexRateLimits",
  status: "available",
  grantedAt: 1_767_225_600,
  expiresAt: 1_769_904_000,
  title: "t",
  description: "d",
};
const credits = (all: ReadonlyArray<object>) => ({
  routes: { "/rate-limit-reset-credits": { body: { available_count: 1, credits: all } } },
});

const threadId = "01999999-0000-7000-8000-000000000000";
const thread = (body: unknown, status = 200) => ({
  method: "account/usage/read",
  params: { threadId },
  routes: { "/wham/usage/thread_usage/query": { status, body } },
});
const summary = {
  lifetimeTokens: null,
  peakDailyTokens: null,
  longestRunningTurnSec: null,
  currentStreakDays: null,
  longestStreakDays: null,
};
const usageOf = (threadUsage: object | null) => ({ summary, dailyUsageBuckets: null, threadUsage });

const workspace = (id: string, more: object = {}) => ({
  id,
  name: id,
  structure: "workspace",
  workspace_backend_origin: "NO_CONSTRAINT",
  account_routing_override: "NO_CONSTRAINT",
  ...more,
});

export const usageCases: ReadonlyArray<BackendCase> = [
  rateLimits("ordinary usage is allowed", own, limits()),
  rateLimits(
    "ordinary usage is not allowed",
    { ...own, rate_limit: limit(false) },
    limits({ ordinaryUsageAllowed: false }),
  ),
  ...[
    { ...own, account_id: "acct-2" },
    { ...own, user_id: "user-2" },
    { ...own, user_id: undefined },
  ].map((usage, index) =>
    rateLimits(
      `what is allowed is unknown in the usage of ${["another account", "another user", "no user"][index]}`,
      { ...usage, rate_limit_upsell: { a_b: 1 } },
      limits({ ordinaryUsageAllowed: null, accountId: usage.account_id }),
    ),
  ),
  rateLimits(
    "a banner is passed on as it is",
    { ...own, rate_limit_upsell: { a_b: [1] } },
    limits({ rateLimitUpsell: { a_b: [1] } }),
  ),
  rateLimits(
    "a limit of another model names its model",
    {
      ...own,
      additional_rate_limits: [
        {
          limit_name: "A",
          metered_feature: "feat",
          normal_model_slug: "gpt-x",
          rate_limit: limit(true),
        },
      ],
    },
    limits({}, snapshot(), {
      feat: snapshot({ limitId: "feat", limitName: "A", normalModelSlug: "gpt-x" }),
    }),
  ),
  rateLimits(
    "a window of no length has none",
    { ...own, rate_limit: { ...limit(true), primary_window: window(12, 0) } },
    limits(
      {},
      snapshot({
        primary: { usedPercent: 12, windowDurationMins: null, resetsAt: 1_800_000_000 },
      }),
    ),
  ),
  rateLimits(
    "times of reset credits are seconds, and their own count is the one that counts",
    { ...own, rate_limit_reset_credits: { available_count: 2 } },
    limits({ rateLimitResetCredits: { availableCount: 1, credits: [shownCredit] } }),
    credits([credit]),
  ),
  rateLimits(
    "reset credits with a time of another form are left out",
    { ...own, rate_limit_reset_credits: { available_count: 2 } },
    limits({ rateLimitResetCredits: { availableCount: 2, credits: null } }),
    credits([{ ...credit, granted_at: 1_767_225_600 }]),
  ),
  {
    title: "the usage of a thread",
    ...thread({
      threads: [
        {
          thread_id: threadId,
          estimated_usage_credits_micros: 10,
          estimated_usage_usd_micros: 20,
          native_usage_usd_micros: 30,
          groups: [
            {
              model: "m",
              reasoning_effort: "high",
              speed: "fast",
              estimated_usage_credits_micros: 1,
              net_new_input_tokens: 2,
              cached_input_tokens: 3,
              input_tokens: 4,
              output_tokens: 5,
              total_tokens: 6,
            },
          ],
        },
      ],
    }),
    expected: usageOf({
      threadId,
      estimatedUsageCreditsMicros: 10,
      estimatedUsageUsdMicros: 20,
      nativeUsageUsdMicros: 30,
      groups: [
        {
          model: "m",
          reasoningEffort: "high",
          speed: "fast",
          estimatedUsageCreditsMicros: 1,
          netNewInputTokens: 2,
          cachedInputTokens: 3,
          inputTokens: 4,
          outputTokens: 5,
          totalTokens: 6,
        },
      ],
    }),
  },
  { title: "the usage of a thread is not offered", ...thread({}, 404), expected: usageOf(null) },
  { title: "the usage of a thread is forbidden", ...thread({}, 403), expected: usageOf(null) },
  {
    title: "a message of the workspace",
    method: "account/workspaceMessages/read",
    params: {},
    routes: {
      "/workspace-messages": {
        body: {
          messages: [
            {
              message_id: "m",
              message_type: "announcement",
              message_body: "b",
              created_at: "2026-01-01T00:00:00Z",
              archived_at: null,
            },
          ],
        },
      },
    },
    expected: {
      featureEnabled: true,
      messages: [
        {
          messageId: "m",
          messageType: "announcement",
          messageBody: "b",
          createdAt: 1_767_225_600,
          archivedAt: null,
        },
      ],
    },
  },
];

/** Switches to acct-2, which the backend describes like this. */
export const switchCases: ReadonlyArray<{
  readonly title: string;
  readonly workspaces: ReadonlyArray<object>;
  readonly allowBrowserLogin: boolean;
  /** The error, or the parameters that the authorize URL has. */
  readonly expected: string | Readonly<Record<string, string>>;
}> = [
  ...[false, true].map((allowBrowserLogin) => ({
    title: `a workspace that is deactivated (allowBrowserLogin ${allowBrowserLogin})`,
    workspaces: [workspace("acct-1"), workspace("acct-2", { is_deactivated: true })],
    allowBrowserLogin,
    expected: "The selected workspace is unavailable",
  })),
  {
    title: "a government workspace",
    workspaces: [
      workspace("acct-1"),
      workspace("acct-2", { is_fedramp_compliant_workspace: true }),
    ],
    allowBrowserLogin: true,
    expected: "Sign in to switch government workspaces",
  },
  {
    title: "a workspace that requires its own sign-in",
    workspaces: [workspace("acct-1"), workspace("acct-2", { can_access_with_session: false })],
    allowBrowserLogin: false,
    expected: "The selected workspace requires a new sign-in",
  },
  {
    title: "a workspace that requires a sign-in, which is started",
    workspaces: [workspace("acct-1"), workspace("acct-2", { can_access_with_session: false })],
    allowBrowserLogin: true,
    expected: {
      allowed_workspace_id: "acct-2",
      current_workspace_id: "acct-2",
      login_hint: "user@example.test",
    },
  },
  {
    title: "a workspace with single sign-on, to which a sign-in is started",
    workspaces: [
      workspace("acct-1"),
      workspace("acct-2", { can_access_with_session: false, sso_connection_name: "okta-1" }),
    ],
    allowBrowserLogin: true,
    expected: {
      allowed_workspace_id: "acct-2",
      current_workspace_id: "acct-2",
      login_hint: "user@example.test",
      connection: "okta-1",
    },
  },
];
