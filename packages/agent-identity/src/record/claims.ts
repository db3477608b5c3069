import * as z from "zod/mini";
import { idExpectation, isId } from "./id.ts";
import { normalizeRfc3339 } from "../encoding/rfc3339.ts";

// Plain shapes: what becomes of the texts is the record's business, which also makes them cheap to check.
const id = z.string().check(z.refine(isId, idExpectation));
const secret = z.string().check(z.minLength(1, "a non-empty string"));
const isTime = (text: string): boolean => normalizeRfc3339(text) !== null;
const time = z.string().check(z.refine(isTime, "an RFC 3339 time"));

const shared = { agent_runtime_id: id, agent_private_key: secret, email: z.nullish(z.string()) };

/** Claims and stored records of Codex's present design (docs/protocol.md §2, §6). */
export const CurrentShape = z.object({
  ...shared,
  account_id: id,
  chatgpt_user_id: id,
  plan_type: z.string(),
  chatgpt_account_is_fedramp: z.boolean(),
  registered_at: z.nullish(time),
  task_id: z.nullish(z.string()),
});

/** Claims of the first design. `registered_at` is required in a stored record only. */
export const FirstDesignShape = z.object({
  ...shared,
  workspace_id: id,
  chatgpt_user_id: z.nullish(id),
  plan_type: z.nullish(z.string()),
  chatgpt_account_is_fedramp: z.nullish(z.boolean()),
  registered_at: z.nullish(time),
  background_task_id: z.nullish(z.string()),
});

/** What `CurrentShape` lets through. */
export type CurrentShape = z.infer<typeof CurrentShape>;
/** What `FirstDesignShape` lets through. */
export type FirstDesignShape = z.infer<typeof FirstDesignShape>;
