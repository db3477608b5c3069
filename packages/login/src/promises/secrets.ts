import * as Redacted from "effect/Redacted";
import type { ChatgptTokens } from "../manager/index.ts";

/** A secret as plain text, or as `Redacted`. */
export type Secret = string | Redacted.Redacted;

/** `ChatgptTokens` whose secrets may be plain text. */
export interface PlainChatgptTokens extends Omit<
  ChatgptTokens,
  "accessToken" | "apiKey" | "idToken" | "refreshToken"
> {
  readonly idToken: Secret;
  readonly accessToken: Secret;
  readonly refreshToken: Secret;
  readonly apiKey?: Secret;
}

/**
 * Returns the secret as `Redacted`, which is never printed. Throws `TypeError` if it is neither that nor a string.
 *
 * @example
 * ```ts
 * import { toRedacted } from "@agent-auth/login/promises/secrets";
 *
 * String(toRedacted("sk-example", "API key")); // "<redacted:API key>"
 * ```
 */
export const toRedacted = (secret: Secret, label: string): Redacted.Redacted => {
  if (typeof secret === "string") return Redacted.make(secret, { label });
  if (Redacted.isRedacted(secret)) return secret;
  throw new TypeError(`${label} must be a string, or Redacted`);
};

/**
 * Returns the tokens with each secret as `Redacted`.
 *
 * @example
 * ```ts
 * import { toChatgptTokens } from "@agent-auth/login/promises/secrets";
 *
 * const tokens = { idToken: "a.b.c", accessToken: "d.e.f", refreshToken: "rt" };
 * String(toChatgptTokens(tokens).refreshToken); // "<redacted:refresh_token>"
 * ```
 */
export const toChatgptTokens = ({ apiKey, ...tokens }: PlainChatgptTokens): ChatgptTokens => ({
  ...tokens,
  idToken: toRedacted(tokens.idToken, "id_token"),
  accessToken: toRedacted(tokens.accessToken, "access_token"),
  refreshToken: toRedacted(tokens.refreshToken, "refresh_token"),
  ...(apiKey === undefined ? {} : { apiKey: toRedacted(apiKey, "API key") }),
});
