/** The plans that an account may have, as Codex spells them: personal plans first, then workspace plans. */
export const planTypes = [
  "free",
  "go",
  "plus",
  "pro",
  "prolite",
  "promax",
  "team",
  "self_serve_business_prolite",
  "self_serve_business_usage_based",
  "business",
  "ent26",
  "enterprise_cbp_automation",
  "enterprise_cbp_usage_based",
  "enterprise",
  "edu",
  "edu_plus",
  "edu_pro",
  "sci",
  "sci_plus",
  "unknown",
] as const;

/** One of `planTypes`; any other plan is `unknown`. */
export type PlanType = (typeof planTypes)[number];

const known: ReadonlySet<string> = new Set(planTypes);
const aliases: ReadonlyMap<string, PlanType> = new Map([
  ["hc", "enterprise"],
  ["education", "edu"],
]);

const isPlanType = (text: string): text is PlanType => known.has(text);

/**
 * Returns the plan that a claim names. Case is ignored. A plan that is not in `planTypes` is `unknown`, never an error.
 *
 * @example
 * ```ts
 * import { parsePlanType } from "@agent-auth/agent-identity/record/plan";
 *
 * parsePlanType("HC"); // "enterprise"
 * parsePlanType("gold"); // "unknown"
 * ```
 */
export const parsePlanType = (text: string): PlanType => {
  const lower = text.toLowerCase();
  return aliases.get(lower) ?? (isPlanType(lower) ? lower : "unknown");
};

/**
 * Returns whether an account with this plan is a workspace that several people share. `unknown` is not.
 *
 * @example
 * ```ts
 * import { isWorkspacePlan } from "@agent-auth/agent-identity/record/plan";
 *
 * isWorkspacePlan("team"); // true
 * isWorkspacePlan("plus"); // false
 * ```
 */
export const isWorkspacePlan = (plan: PlanType): boolean => isFrom("team", plan);

/** Whether a plan is `first` or one of those after it in `planTypes`. */
const isFrom = (first: PlanType, plan: PlanType): boolean =>
  plan !== "unknown" && planTypes.indexOf(plan) >= planTypes.indexOf(first);

/**
 * Returns whether the administrators of a workspace with this plan can publish a policy, which its members' programs
 * fetch from the backend (`config/bundle`).
 *
 * @example
 * ```ts
 * import { hasWorkspacePolicy } from "@agent-auth/agent-identity/record/plan";
 *
 * hasWorkspacePolicy("enterprise"); // true
 * hasWorkspacePolicy("team"); // false
 * ```
 */
export const hasWorkspacePolicy = (plan: PlanType): boolean => isFrom("business", plan);
