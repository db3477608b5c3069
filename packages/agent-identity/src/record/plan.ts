/** Plans an account may be on, as Codex spells them. */
export const planTypes = [
  "free",
  "go",
  "plus",
  "pro",
  "prolite",
  "team",
  "self_serve_business_usage_based",
  "business",
  "enterprise_cbp_usage_based",
  "enterprise",
  "edu",
  "unknown",
] as const;

/** One of `planTypes`; what the list does not know is `unknown`. */
export type PlanType = (typeof planTypes)[number];

const known: ReadonlySet<string> = new Set(planTypes);
const aliases: ReadonlyMap<string, PlanType> = new Map([
  ["hc", "enterprise"],
  ["education", "edu"],
]);
const firstWorkspacePlan = planTypes.indexOf("team");

const isPlanType = (text: string): text is PlanType => known.has(text);

/** The plan named by a claim, whatever its case; anything the list does not know is `unknown`, never an error. */
export const parsePlanType = (text: string): PlanType => {
  const lower = text.toLowerCase();
  return aliases.get(lower) ?? (isPlanType(lower) ? lower : "unknown");
};

/** Whether an account on this plan is a workspace shared by several people. `unknown` is not. */
export const isWorkspacePlan = (plan: PlanType): boolean =>
  plan !== "unknown" && planTypes.indexOf(plan) >= firstWorkspacePlan;
