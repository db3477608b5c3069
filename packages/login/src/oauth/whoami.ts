import { parsePlanType } from "@agent-auth/agent-identity/record/plan";
import * as z from "zod/mini";
import type { Account } from "../credential/index.ts";
import { compact } from "../internal/compact.ts";

const text = z.nullish(z.string().check(z.minLength(1)));
const Whoami = z.object({
  email: text,
  chatgpt_user_id: text,
  chatgpt_account_id: z.string().check(z.minLength(1)),
  chatgpt_plan_type: text,
  chatgpt_account_is_fedramp: z.nullish(z.boolean()),
});

/**
 * Reads the accounts API's answer to "who is this token". Comes back with the account, or with the names of the
 * members that are not as they should be (empty where it is not JSON).
 */
export const parseWhoami = (
  body: string,
): { readonly account: Account } | { readonly invalid: ReadonlyArray<string> } => {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return { invalid: [] };
  }
  const read = Whoami.safeParse(json);
  if (!read.success) return { invalid: read.error.issues.map((issue) => issue.path.join(".")) };
  const plan = read.data.chatgpt_plan_type;
  return {
    account: compact({
      accountId: read.data.chatgpt_account_id,
      userId: read.data.chatgpt_user_id ?? undefined,
      email: read.data.email ?? undefined,
      planType: plan === null || plan === undefined ? undefined : parsePlanType(plan),
      isFedrampAccount: read.data.chatgpt_account_is_fedramp ?? false,
    }),
  };
};
