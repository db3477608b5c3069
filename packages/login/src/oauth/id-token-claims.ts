import { parsePlanType, type PlanType } from "@agent-auth/agent-identity/record/plan";
import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import type { Account } from "../credential/index.ts";
import { compact } from "../internal/compact.ts";
import { decodeUnverifiedPayload } from "./unverified-jwt.ts";

/**
 * What an id token, or an access token of the same authority, claims. The signature is never verified: good for
 * display, and for restrictions that the server enforces as well; never proof of an identity.
 */
export interface UnverifiedTokenClaims {
  readonly accountId?: string;
  readonly userId?: string;
  readonly email?: string;
  readonly planType?: PlanType;
  readonly isFedrampAccount: boolean;
  /** `exp`, milliseconds since the epoch. */
  readonly expiresAtMs?: number;
}

/** Seconds since the epoch that a `Date` can hold; anything else says as little as nothing. */
const moment = z.catch(z.optional(z.number().check(z.gte(0), z.lte(8.64e12))), undefined);
const text = z.catch(z.optional(z.string().check(z.minLength(1))), undefined);
const Claims = z.object({
  email: text,
  exp: moment,
  "https://api.openai.com/profile": z.catch(z.optional(z.object({ email: text })), undefined),
  "https://api.openai.com/auth": z.catch(
    z.optional(
      z.object({
        chatgpt_plan_type: text,
        chatgpt_user_id: text,
        user_id: text,
        chatgpt_account_id: text,
        chatgpt_account_is_fedramp: z.catch(z.optional(z.boolean()), undefined),
      }),
    ),
    undefined,
  ),
});

/**
 * Reads the claims of docs/protocol.md §2 from a JWT; `undefined` where it is no JWT. A claim of the wrong type
 * counts as absent.
 */
export const decodeUnverifiedClaims = (
  token: Redacted.Redacted,
): UnverifiedTokenClaims | undefined => {
  const payload = decodeUnverifiedPayload(Redacted.value(token));
  const read = Claims.safeParse(payload);
  if (!read.success) return undefined;
  const claims = read.data;
  const auth = claims["https://api.openai.com/auth"];
  return compact({
    accountId: auth?.chatgpt_account_id,
    userId: auth?.chatgpt_user_id ?? auth?.user_id,
    email: claims.email ?? claims["https://api.openai.com/profile"]?.email,
    planType:
      auth?.chatgpt_plan_type === undefined ? undefined : parsePlanType(auth.chatgpt_plan_type),
    isFedrampAccount: auth?.chatgpt_account_is_fedramp ?? false,
    expiresAtMs: claims.exp === undefined ? undefined : claims.exp * 1000,
  });
};

/** The account that the claims speak of; `accountId`, where given, is what requests will carry. */
export const accountOf = (claims: UnverifiedTokenClaims, accountId?: string): Account => {
  const { expiresAtMs: _, ...account } = claims;
  return accountId === undefined ? account : { ...account, accountId };
};
