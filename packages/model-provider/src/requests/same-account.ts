import { type Credential, isSameAccount } from "@agent-auth/login/credential";
import * as Redacted from "effect/Redacted";
import type { SignedHeaders } from "../signing/signed-headers.ts";

/**
 * Whether headers may go on a request that was made for these earlier ones: same origin, same kind of credential, same
 * account. A request says what one account wanted to say; whoever signed in meanwhile did not say it.
 */
export const mayRepeat = (earlier: SignedHeaders, later: SignedHeaders): boolean =>
  later === earlier ||
  (later.target.origin === earlier.target.origin &&
    speaksForTheSame(earlier.credential, later.credential));

/** Tokens come and go within an account. Of an API key's account nothing is known but the key. */
const speaksForTheSame = (a: Credential | null, b: Credential | null): boolean => {
  if (a === null || b === null || a === b) return a === b;
  if (a._tag === "ApiKey" && b._tag === "ApiKey")
    return Redacted.value(a.apiKey) === Redacted.value(b.apiKey);
  return a._tag === b._tag && isSameAccount(a.account, b.account);
};
