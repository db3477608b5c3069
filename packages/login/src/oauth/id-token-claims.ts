import { parsePlanType } from "@agent-auth/agent-identity/record/plan";
import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import type { Account } from "../credential/index.ts";
import { compact } from "../internal/compact.ts";
import { parseJson } from "@agent-auth/agent-identity/encoding";

/**
 * The claims of an id token, or of an access token of the same authority. The signature is not verified, so they may be
 * displayed, and compared with restrictions that the server enforces as well, but they prove nothing.
 */
export interface UnverifiedTokenClaims extends Account {
  /** `exp`, milliseconds since the epoch. */
  readonly expiresAtMs?: number;
}

/** Seconds since the epoch that a `Date` can hold; anything else counts as absent. */
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
 * Returns the claims of docs/protocol.md §2 from a JWT, without verifying it. Returns `undefined` if the text is not a JWT.
 * A claim of the wrong type counts as absent.
 *
 * @example
 * ```ts
 * import { decodeUnverifiedClaims } from "@agent-auth/login/oauth/id-token-claims";
 * import * as Redacted from "effect/Redacted";
 *
 * const payload = Buffer.from(JSON.stringify({ email: "ada@example.com" })).toString("base64url");
 * const claims = decodeUnverifiedClaims(Redacted.make(`e30.${payload}.c2ln`));
 * claims?.email; // "ada@example.com"
 * ```
 */
export const decodeUnverifiedClaims = (
  token: Redacted.Redacted,
): UnverifiedTokenClaims | undefined => {
  const parsed = Claims.safeParse(decodeUnverifiedPayload(Redacted.value(token)));
  if (!parsed.success) return undefined;
  const claims = parsed.data;
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

/** The payload of a compact JWS as JSON, or `undefined` if it is not an object. Header and signature are not checked. */
const decodeUnverifiedPayload = (jwt: string): unknown => {
  const parts = jwt.split(".");
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || !header || !payload || !signature) return undefined;
  if (!/^[\w-]+$/.test(payload)) return undefined;
  const claims = parseJson(Buffer.from(payload, "base64url").toString("utf8"));
  return Array.isArray(claims) ? undefined : claims;
};

/**
 * Returns the account of the claims. `accountId`, if given, takes precedence: it is the one that requests will carry.
 *
 * @example
 * ```ts
 * import { accountOf } from "@agent-auth/login/oauth/id-token-claims";
 *
 * const account = accountOf({ email: "ada@example.com", isFedrampAccount: false }, "workspace-1");
 * account.accountId; // "workspace-1"
 * ```
 */
export const accountOf = (claims: UnverifiedTokenClaims, accountId?: string): Account => {
  const { expiresAtMs: _, ...account } = claims;
  return accountId === undefined ? account : { ...account, accountId };
};
