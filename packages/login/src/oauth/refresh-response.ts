import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import { compact } from "../internal/compact.ts";
import { parseJson } from "../internal/json.ts";

/** What a refresh brought. Tokens that are absent keep their former value. Nothing in them was verified. */
export interface RefreshedTokens {
  readonly idToken?: Redacted.Redacted;
  readonly accessToken?: Redacted.Redacted;
  readonly refreshToken?: Redacted.Redacted;
}

const token = z.nullish(z.string().check(z.minLength(1)));
const TokenResponse = z.object({ id_token: token, access_token: token, refresh_token: token });

/** Reads the body of a successful refresh (RFC 6749 §5.1, every member optional); `undefined` where it is none. */
export const parseRefreshedTokens = (body: string): RefreshedTokens | undefined => {
  const read = TokenResponse.safeParse(parseJson(body));
  if (!read.success) return undefined;
  return compact({
    idToken: secret(read.data.id_token, "id_token"),
    accessToken: secret(read.data.access_token, "access_token"),
    refreshToken: secret(read.data.refresh_token, "refresh_token"),
  });
};

const code = z.string().check(z.minLength(1));
const ErrorResponse = z.union([
  z.object({ error: z.object({ code }) }),
  z.object({ error: code }),
  z.object({ code }),
]);

/** The error code of a refused refresh, in any of its three places; `undefined` where the body has none. */
export const parseErrorCode = (body: string): string | undefined => {
  const read = ErrorResponse.safeParse(parseJson(body));
  if (!read.success) return undefined;
  if ("code" in read.data) return read.data.code;
  const { error } = read.data;
  return typeof error === "string" ? error : error.code;
};

const secret = (text: string | null | undefined, label: string): Redacted.Redacted | undefined =>
  text === null || text === undefined ? undefined : Redacted.make(text, { label });
