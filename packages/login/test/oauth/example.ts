import { AuthManager } from "@agent-auth/login/manager";
import {
  type AuthorizePrompt,
  type BrowserSignInOptions,
  signInWithBrowser,
} from "@agent-auth/login/oauth/browser";
import * as Effect from "effect/Effect";

const show = ({ url }: AuthorizePrompt) => Effect.sync(() => console.error(`Open ${url}`));

/** Signs a person in and says in one line how it went. */
export const signIn = (options: Partial<BrowserSignInOptions> = {}) =>
  Effect.gen(function* () {
    const manager = yield* AuthManager;
    yield* manager.checkLogin("chatgpt"); // nobody is asked for what could not be kept
    const save = manager.loginWithChatgptTokens;
    const { accountId } = yield* signInWithBrowser({ onAuthorizeUrl: show, ...options, save });
    return `signed in to ${accountId ?? "no workspace"}`;
  }).pipe(
    Effect.catch((error) => Effect.succeed(`${error.message} [${error.code}] ${error.hint}`)),
  );
