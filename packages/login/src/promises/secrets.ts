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

/** Returns the secret as `Redacted`, which is never printed. Throws `TypeError` if it is neither that nor a string. */
export const toRedacted = (secret: Secret, label: string): Redacted.Redacted => {
  if (typeof secret === "string") return Redacted.make(secret, { label });
  if (Redacted.isRedacted(secret)) return secret;
  throw new TypeError(`${label} must be a string, or Redacted`);
};

export const toChatgptTokens = ({ apiKey, ...tokens }: PlainChatgptTokens): ChatgptTokens => ({
  ...tokens,
  idToken: toRedacted(tokens.idToken, "id_token"),
  accessToken: toRedacted(tokens.accessToken, "access_token"),
  refreshToken: toRedacted(tokens.refreshToken, "refresh_token"),
  ...(apiKey === undefined ? {} : { apiKey: toRedacted(apiKey, "API key") }),
});
