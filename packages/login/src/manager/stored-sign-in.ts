import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { effectiveAuthMode, type AuthTokens } from "../storage/auth-json/index.ts";
import type { CredentialStore, StoredDocument } from "../storage/index.ts";
import { type ChatgptCredential, isSameAccount } from "../credential/index.ts";
import { type LoginError, RefreshAccountChanged } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import { chatgptCredential } from "./chatgpt-credential.ts";

/** A stored ChatGPT sign-in: the document, its tokens, and the credential that they make. */
export interface SignIn {
  readonly stored: StoredDocument;
  readonly tokens: AuthTokens;
  readonly credential: ChatgptCredential;
}

/**
 * What the store holds now, provided that it is a ChatGPT sign-in of the same account and person; else it fails with
 * `RefreshAccountChanged`.
 */
export const readSignIn = Effect.fnUntraced(function* (
  store: Pick<CredentialStore["Service"], "load">,
  mine: ChatgptCredential,
): Effect.fn.Return<SignIn, LoginError> {
  const stored = Option.getOrUndefined(yield* store.load);
  const expectedAccountId = mine.account.accountId;
  const tokens = stored?.document.tokens;
  if (
    stored === undefined ||
    tokens === undefined ||
    effectiveAuthMode(stored.document) !== "chatgpt"
  ) {
    return yield* new RefreshAccountChanged(compact({ expectedAccountId }));
  }
  const credential = yield* chatgptCredential(stored.document, tokens, stored.source);
  if (!isSameAccount(credential.account, mine.account)) {
    const foundAccountId = credential.account.accountId;
    return yield* new RefreshAccountChanged(compact({ expectedAccountId, foundAccountId }));
  }
  return { stored, tokens, credential };
});
